//! Fetching what was revoked lately: from the copy that this location keeps for a second, else from the origin.
//!
//! Invariant: whatever comes back is believed under its signature only, be it from the origin or from the copy.

use js_sys::{Object, Uint8Array};
use portcullis_shared::revocation::signature::{Content, SignedAnswer, verify};
use portcullis_shared::revocation::{FEED_PATH, Feed, MAX_FEED_BYTES};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, Response, ResponseInit};

use super::isolate::Isolate;
use super::own::{self, Question};
use super::{body, host};
use crate::config::Config;
use crate::revocations::Outlook;

/// How long the origin may take to say what is new, in milliseconds.
const NEWS_TIMEOUT_MILLISECONDS: u32 = 500;
/// How long it may take to say much: to an isolate that knows nothing and cannot do anything without, or has slept.
const MUCH_TIMEOUT_MILLISECONDS: u32 = 3000;
/// Up to this age of what is known there is little that is new.
const RECENT_SECONDS: i64 = 30;
/// How soon a request looks again that lets another one fetch, in milliseconds.
const LOOK_AGAIN_MILLISECONDS: u32 = 20;
/// How often it does: for as long as the other may take.
const MOST_LOOKS: u32 = MUCH_TIMEOUT_MILLISECONDS / LOOK_AGAIN_MILLISECONDS;
/// For how long a location keeps a copy of an answer.
const COPY_CACHE_CONTROL: &str = "max-age=1";
/// The headers of an answer that its signature needs.
const SIGNATURE_HEADERS: [&str; 4] = ["etag", "content-digest", "signature-input", "signature"];

/// An answer whose body is here, and which nobody has looked at yet.
struct Answer {
    headers: Headers,
    body: Vec<u8>,
}

/// Sees to it that what is known may be decided upon, as far as it can be: fetches it, or lets the request that
/// fetches it finish. What came of it is in the isolate.
pub(super) async fn make_current(isolate: &Isolate, config: &Config) {
    for _ in 0..MOST_LOOKS {
        let now = host::seconds();
        let begins = {
            let mut revocations = isolate.revocations.borrow_mut();
            if revocations.outlook(now) != Outlook::Due {
                return;
            }
            revocations.begin_renewal(now)
        };
        if begins {
            return renew(isolate, config).await;
        }
        // The other request's promise must not be waited for; its outcome may be looked at.
        let _kept = JsFuture::from(host::pause(LOOK_AGAIN_MILLISECONDS.into())).await;
    }
}

/// Fetches the next state.
async fn renew(isolate: &Isolate, config: &Config) {
    let (position, age) = {
        let now = host::seconds();
        let mut revocations = isolate.revocations.borrow_mut();
        (revocations.position(now), revocations.age(now))
    };
    let (query, tag) = match &position {
        Some((cursor, tag)) => (Some(format!("cursor={cursor}")), Some(tag.as_str())),
        None => (None, None),
    };
    let question = Question {
        path: FEED_PATH,
        query: query.as_deref(),
        tag,
        timeout: match age {
            Some(age) if age <= RECENT_SECONDS => NEWS_TIMEOUT_MILLISECONDS,
            Some(_) | None => MUCH_TIMEOUT_MILLISECONDS,
        },
    };
    let url = question.url(config);
    if let Some(copy) = find_copy(&url).await
        && isolate.take_in(config, &copy).is_ok()
        && isolate.revocations.borrow().outlook(host::seconds()) == Outlook::Fresh
    {
        return;
    }
    match fetch(isolate, config, &question).await {
        Ok(answer) => match isolate.take_in(config, &answer) {
            Ok(()) => keep_copy(&url, &answer).await,
            Err(reason) => {
                isolate.revocations.borrow_mut().refused(host::seconds());
                isolate.feed_fault("refused", &reason);
            }
        },
        Err(reason) => {
            isolate.revocations.borrow_mut().failed(host::seconds());
            isolate.feed_fault("failed", reason);
        }
    }
}

impl Isolate {
    fn take_in(&self, config: &Config, answer: &Answer) -> Result<(), String> {
        let now = host::seconds();
        let mut revocations = self.revocations.borrow_mut();
        let header = |name| answer.headers.get(name).ok().flatten();
        let (etag, digest) = (header("etag").unwrap_or_default(), header("content-digest"));
        // Only an answer that says that nothing has changed has no digest. The copy of one has the status 200.
        let content = digest
            .as_ref()
            .map_or(Content::Unchanged, |_| Content::Feed(&answer.body));
        let signed = SignedAnswer {
            content,
            etag: &etag,
            content_digest: digest.as_deref(),
            signature_input: &header("signature-input").unwrap_or_default(),
            signature: &header("signature").unwrap_or_default(),
        };
        let created = verify(&signed, &config.signing_key, now).map_err(|error| error.to_string())?;
        match content {
            Content::Unchanged => revocations.unchanged(&etag, created, now),
            Content::Feed(body) => {
                let feed = Feed::parse(body).ok_or("the body is not a feed")?;
                revocations.take_in(feed, created, now)
            }
        }
        .map_err(|error| error.to_string())?;
        self.require_key_set(revocations.key_set_version());
        Ok(())
    }

    /// Logs that the feed is not as it should be, with how often that was so.
    fn feed_fault(&self, outcome: &str, reason: &str) {
        let counts = self.revocations.borrow().counts();
        host::log_fault(
            &serde_json::json!({
                "event": "revocations",
                "outcome": outcome,
                "reason": reason,
                "failed": counts.failed,
                "refused": counts.refused,
                "stale_passes": counts.stale_passes,
            })
            .to_string(),
        );
    }
}

async fn fetch(isolate: &Isolate, config: &Config, question: &Question<'_>) -> Result<Answer, &'static str> {
    let response = own::ask(isolate, config, question).await?;
    match response.status() {
        200 | 304 => read(&response).await,
        _ => Err("the origin answered neither 200 nor 304"),
    }
}

async fn read(response: &Response) -> Result<Answer, &'static str> {
    Ok(Answer {
        headers: response.headers(),
        body: body::read(response, MAX_FEED_BYTES).await?,
    })
}

/// The copy that this location keeps. Where there is no cache, there is none.
async fn find_copy(url: &str) -> Option<Answer> {
    let cache = host::default_cache()?;
    let found = JsFuture::from(cache.find(url).ok()?).await.ok()?;
    if found.is_undefined() {
        return None;
    }
    read(&found.unchecked_into()).await.ok()
}

/// Keeps a copy for the other isolates of this location. That it could not be kept is no fault.
async fn keep_copy(url: &str, answer: &Answer) {
    let Some(cache) = host::default_cache() else {
        return;
    };
    let Some(copy) = copy_of(answer) else { return };
    if let Ok(kept) = cache.keep(url, &copy) {
        let _not_kept = JsFuture::from(kept).await;
    }
}

fn copy_of(answer: &Answer) -> Option<Response> {
    let headers = Headers::new().ok()?;
    for name in SIGNATURE_HEADERS {
        if let Some(value) = answer.headers.get(name).ok()? {
            headers.set(name, &value).ok()?;
        }
    }
    headers.set("cache-control", COPY_CACHE_CONTROL).ok()?;
    let init = ResponseInit::new();
    init.set_headers(&headers);
    let body: Object = Uint8Array::from(answer.body.as_slice()).into();
    Response::new_with_opt_buffer_source_and_init(Some(&body), &init).ok()
}

/// What the platform is asked to wait for after the response: the renewal of an ageing state.
pub(super) fn renew_afterwards(isolate: &std::rc::Rc<Isolate>, config: &std::rc::Rc<Config>) -> JsValue {
    let (isolate, config) = (std::rc::Rc::clone(isolate), std::rc::Rc::clone(config));
    super::task::run(async move {
        renew(&isolate, &config).await;
        JsValue::UNDEFINED
    })
}
