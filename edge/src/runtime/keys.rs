//! Verifying a token that this isolate has not seen: key set, import, signature, claims.

use portcullis_shared::error::TokenError;
use portcullis_shared::jwk::{JwkSet, MAX_SET_BYTES, RsaVerifyingKey};
use portcullis_shared::signature::WebCryptoKey;
use portcullis_shared::token::{UnverifiedToken, VerifiedToken};
use std::rc::Rc;
use wasm_bindgen_futures::JsFuture;

use super::body;
use super::host;
use super::isolate::Isolate;
use super::own::{self, Question};
use super::{Identity, SharedIdentity};
use crate::config::{Config, KEY_SET_PATH};
use crate::decide::TokenVerdict;
use crate::key_cache::{Lookup, Settled};

/// How long the origin may take to deliver its key set, in milliseconds.
const FETCH_TIMEOUT_MILLISECONDS: u32 = 2000;
/// How soon a request looks again whose key another request is fetching, in milliseconds.
const LOOK_AGAIN_MILLISECONDS: f64 = 20.0;
/// How often it looks at most, whatever the clock says; then it fetches by itself.
const MOST_LOOKS: u32 = 200;

/// Gives the verdict on a token, and remembers a good one. Unknown: the keys have changed while it was looked at.
pub(super) async fn verify(
    isolate: &Isolate,
    config: &Config,
    token: &str,
    now: i64,
) -> TokenVerdict<SharedIdentity> {
    let unverified = match UnverifiedToken::parse(token) {
        Ok(unverified) => unverified,
        Err(error) => return TokenVerdict::Refused(error),
    };
    let version = isolate.keys.borrow().minimum_version();
    let key = match find_key(isolate, config, unverified.kid(), now).await {
        Ok(key) => key,
        Err(NoKey::Unknown) => return TokenVerdict::Refused(TokenError::unknown_key()),
        Err(NoKey::Unavailable { retry_after }) => return TokenVerdict::NoKeys { retry_after },
    };
    let verified = key.verify(unverified).await;
    conclude(isolate, config, token, version, verified, now)
}

/// The key of `kid` where nothing has to be waited for to get it.
pub(super) fn at_hand(isolate: &Isolate, kid: &str, now: i64) -> Option<Rc<WebCryptoKey>> {
    isolate.imported(isolate.keys.borrow().at_hand(kid, now)?)
}

/// What is to be thought of a token whose signature was looked at, while the key set of `version` was the least.
pub(super) fn conclude(
    isolate: &Isolate,
    config: &Config,
    token: &str,
    version: u64,
    verified: Result<VerifiedToken, TokenError>,
    now: i64,
) -> TokenVerdict<SharedIdentity> {
    let claims = match verified.and_then(|token| token.check(&config.expectations, now)) {
        Ok(claims) => claims,
        Err(error) => return TokenVerdict::Refused(error),
    };
    if isolate.keys.borrow().minimum_version() != version {
        // The key may be one that was taken out meanwhile.
        return TokenVerdict::Unknown;
    }
    let identity = SharedIdentity(Rc::new(Identity::of(claims)));
    isolate.remember(token, &identity);
    TokenVerdict::Verified(identity)
}

/// Why there is no key for a token.
enum NoKey {
    Unknown,
    Unavailable { retry_after: u32 },
}

/// A key that is published, in the platform's hands or on the way there.
enum Published {
    Imported(Rc<WebCryptoKey>),
    Raw(RsaVerifyingKey),
}

async fn find_key(
    isolate: &Isolate,
    config: &Config,
    kid: &str,
    now: i64,
) -> Result<Rc<WebCryptoKey>, NoKey> {
    let mut now = now;
    let mut looks = 0;
    let known = loop {
        match isolate.keys.borrow_mut().look_up(kid, now) {
            Lookup::Settled(settled) => break Some(published(isolate, &settled)?),
            Lookup::Fetch => break None,
            Lookup::Wait if looks == MOST_LOOKS => break None,
            Lookup::Wait => {}
        }
        // The other request's promise must not be waited for; its outcome may be looked at.
        looks += 1;
        let _kept = JsFuture::from(host::pause(LOOK_AGAIN_MILLISECONDS)).await;
        now = host::seconds();
    };
    let published = match known {
        Some(published) => published,
        None => fetch_key(isolate, config, kid, now).await?,
    };
    match published {
        Published::Imported(handle) => Ok(handle),
        Published::Raw(key) => {
            // A key that the platform does not take verifies nothing.
            let handle = Rc::new(WebCryptoKey::new(&key).await.map_err(|_| NoKey::Unknown)?);
            isolate.keep_imported(&key, &handle);
            Ok(handle)
        }
    }
}

async fn fetch_key(isolate: &Isolate, config: &Config, kid: &str, now: i64) -> Result<Published, NoKey> {
    let query = isolate.keys.borrow().query(kid);
    let fetched = fetch_key_set(isolate, config, query.as_deref()).await;
    let mut keys = isolate.keys.borrow_mut();
    match fetched {
        Ok(set) => keys.fetched(set, now),
        Err(reason) => {
            keys.failed(now);
            host::log_fault(&format!("The key set could not be fetched: {reason}"));
        }
    }
    published(isolate, &keys.settle(kid, now))
}

/// The answer of the cache, without a borrow of it, so that the platform may be waited for.
fn published(isolate: &Isolate, settled: &Settled<'_>) -> Result<Published, NoKey> {
    match settled {
        Settled::Key(key) => Ok(isolate
            .imported(key)
            .map_or_else(|| Published::Raw((*key).clone()), Published::Imported)),
        Settled::Unknown => Err(NoKey::Unknown),
        Settled::Unavailable { retry_after } => Err(NoKey::Unavailable {
            retry_after: *retry_after,
        }),
    }
}

async fn fetch_key_set(
    isolate: &Isolate,
    config: &Config,
    query: Option<&str>,
) -> Result<JwkSet, &'static str> {
    // Anybody may have the key set; but an origin that answers nobody else than the edge has to know who asks.
    let question = Question {
        path: KEY_SET_PATH,
        query,
        tag: None,
        timeout: FETCH_TIMEOUT_MILLISECONDS,
    };
    let response = own::ask(isolate, config, &question).await?;
    if response.status() != 200 {
        return Err("the origin did not answer 200");
    }
    let body = body::read(&response, MAX_SET_BYTES).await?;
    let set = JwkSet::parse(&body).map_err(|_| "the body is not a key set")?;
    if set.is_empty() {
        Err("the key set has no usable key")
    } else {
        Ok(set)
    }
}
