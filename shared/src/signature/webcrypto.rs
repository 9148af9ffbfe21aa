//! The edge's backend: the host's `crypto.subtle` (W3C Web Cryptography API §14.3).

use std::cell::RefCell;
use std::collections::BTreeMap;

use js_sys::{Function, JsString, Object, Promise, Reflect};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};

use super::verdict::{BAD_SIGNATURE, same_key};
use crate::base64url;
use crate::error::TokenError;
use crate::jwk::{JwkError, RsaVerifyingKey};
use crate::jws::CompactJws;
use crate::token::{UnverifiedToken, VerifiedToken};

const ALGORITHM: &str = "RSASSA-PKCS1-v1_5";

#[wasm_bindgen]
extern "C" {
    type Verifier;

    /// With the name of the algorithm as a text that is already on the other side.
    #[wasm_bindgen(method, catch)]
    fn verify(
        this: &Verifier,
        algorithm: &JsString,
        key: &CryptoKey,
        signature: &[u8],
        message: &[u8],
    ) -> Result<Promise, JsValue>;

    type Verdict;

    #[wasm_bindgen(method)]
    fn then(this: &Verdict, resolved: &Function, rejected: &Function) -> JsValue;
}

/// The most that may wait for a verdict. A host gives it before it turns to anything else, so there are few; what is
/// past this bound was given up by the host, and is dropped, the oldest first.
const MOST_WAITING: usize = 1024;

type Then = Box<dyn FnOnce(Result<VerifiedToken, TokenError>) -> JsValue>;

#[derive(Default)]
struct Waiting {
    all: BTreeMap<u32, (VerifiedToken, Then)>,
    last: u32,
}

impl Waiting {
    fn add(&mut self, verified: VerifiedToken, then: Then) -> u32 {
        if self.all.len() >= MOST_WAITING {
            self.all.pop_first();
        }
        self.last = self.last.wrapping_add(1);
        self.all.insert(self.last, (verified, then));
        self.last
    }
}

thread_local! {
    static WAITING: RefCell<Waiting> = RefCell::default();
    /// [`conclude`] for the host. There is one for all who wait: a closure for each would be registered with the garbage
    /// collector, which costs a sixth of the verdict.
    static CONCLUDE: Function = Closure::<dyn Fn(u32, JsValue) -> JsValue>::new(|number, verdict| conclude(number, &verdict))
        .into_js_value()
        .unchecked_into();
}

/// The host has given its verdict to whom the number belongs.
fn conclude(number: u32, verdict: &JsValue) -> JsValue {
    let Some((verified, then)) = WAITING.with_borrow_mut(|waiting| waiting.all.remove(&number)) else {
        return JsValue::UNDEFINED;
    };
    then(if is_good(verdict) {
        Ok(verified)
    } else {
        Err(BAD_SIGNATURE)
    })
}

/// A public key imported into the host. Cloning it clones a handle.
#[derive(Clone, Debug)]
pub struct WebCryptoKey {
    kid: String,
    subtle: SubtleCrypto,
    key: CryptoKey,
    algorithm: JsString,
}

impl WebCryptoKey {
    /// Imports `key`, for verification only and not extractable.
    pub async fn new(key: &RsaVerifyingKey) -> Result<Self, JwkError> {
        Self::import(key).await.map_err(|_| JwkError::Modulus)
    }

    async fn import(key: &RsaVerifyingKey) -> Result<Self, JsValue> {
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        let subtle = scope.crypto()?.subtle();
        let jwk = object(&[
            ("kty", "RSA"),
            ("n", &base64url::encode(key.modulus())),
            ("e", &base64url::encode(key.exponent())),
        ])?;
        let algorithm = object(&[("name", ALGORITHM), ("hash", "SHA-256")])?;
        let usages = js_sys::Array::of1(&JsValue::from_str("verify"));
        let imported = subtle.import_key_with_object("jwk", &jwk, &algorithm, false, &usages)?;
        let imported = JsFuture::from(imported).await?.unchecked_into();
        Ok(Self {
            kid: key.kid().to_owned(),
            subtle,
            key: imported,
            algorithm: JsString::from(ALGORITHM),
        })
    }

    /// Gives the verdict on an access token.
    pub async fn verify(&self, token: UnverifiedToken<'_>) -> Result<VerifiedToken, TokenError> {
        same_key(&self.kid, &token)?;
        self.verify_bytes(token.signing_input(), token.signature())
            .await?;
        Ok(VerifiedToken::after_verdict(token))
    }

    /// Gives the verdict on an access token to `then`. The result is what that returns, or a promise of it: a task that
    /// waited for the verdict would cost half as much as the verdict.
    pub fn verify_then(
        &self,
        token: UnverifiedToken<'_>,
        then: impl FnOnce(Result<VerifiedToken, TokenError>) -> JsValue + 'static,
    ) -> JsValue {
        if let Err(error) = same_key(&self.kid, &token) {
            return then(Err(error));
        }
        let Ok(verdict) = self.begin(token.signing_input(), token.signature()) else {
            return then(Err(BAD_SIGNATURE));
        };
        // It is handed out after a good verdict, and dropped unseen after any other.
        let number = WAITING
            .with_borrow_mut(|waiting| waiting.add(VerifiedToken::after_verdict(token), Box::new(then)));
        let conclude: Function = CONCLUDE
            .with(|conclude| conclude.bind1(&JsValue::UNDEFINED, &number.into()))
            .unchecked_into();
        // A host that fails to answer calls the same function with its error, which is not a good verdict.
        verdict.unchecked_into::<Verdict>().then(&conclude, &conclude)
    }

    /// Gives the verdict on any compact JWS; its `kid` is not compared.
    pub async fn verify_jws(&self, jws: &CompactJws<'_>) -> Result<(), TokenError> {
        self.verify_bytes(jws.signing_input(), jws.signature()).await
    }

    /// Gives the verdict on a bare RSASSA-PKCS1-v1_5 signature with SHA-256 (RFC 8017 §8.2). A host that
    /// fails to answer counts as a bad signature.
    pub async fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        let verdict = self.begin(message, signature).map_err(|_| BAD_SIGNATURE)?;
        match JsFuture::from(verdict).await {
            Ok(verdict) if is_good(&verdict) => Ok(()),
            Ok(_) | Err(_) => Err(BAD_SIGNATURE),
        }
    }

    fn begin(&self, message: &[u8], signature: &[u8]) -> Result<Promise, JsValue> {
        self.subtle
            .unchecked_ref::<Verifier>()
            .verify(&self.algorithm, &self.key, signature, message)
    }
}

fn is_good(verdict: &JsValue) -> bool {
    verdict.as_bool() == Some(true)
}

fn object(members: &[(&str, &str)]) -> Result<Object, JsValue> {
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &JsValue::from_str(name), &JsValue::from_str(value))?;
    }
    Ok(object)
}
