//! What the edge asks the origin by itself: signed as its own, so that no request from outside passes for one.

use portcullis_shared::identity;
use portcullis_shared::request_signature::{SignedRequest, sign_own};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, RequestRedirect, Response};

use super::host;
use super::isolate::Isolate;
use crate::config::Config;

/// A GET of the edge itself.
#[derive(Clone, Copy)]
pub(super) struct Question<'q> {
    /// The path at the origin.
    pub(super) path: &'q str,
    /// The query without its question mark.
    pub(super) query: Option<&'q str>,
    /// The entity tag of what is known.
    pub(super) tag: Option<&'q str>,
    /// Until the whole answer is here, in milliseconds.
    pub(super) timeout: u32,
}

impl Question<'_> {
    /// Where it is asked.
    pub(super) fn url(&self, config: &Config) -> String {
        let mark = self.query.map_or("", |_| "?");
        format!(
            "{}{}{mark}{}",
            config.origin.base,
            self.path,
            self.query.unwrap_or_default()
        )
    }
}

/// Asks the origin, and waits for the headers of its answer. Redirects are not followed.
pub(super) async fn ask(
    isolate: &Isolate,
    config: &Config,
    question: &Question<'_>,
) -> Result<Response, &'static str> {
    let init = sign(isolate, config, question).map_err(|_| "the request could not be built")?;
    JsFuture::from(host::ask(&question.url(config), &init))
        .await
        .map(JsValue::unchecked_into)
        .map_err(|_| "the origin did not answer")
}

fn sign(isolate: &Isolate, config: &Config, question: &Question<'_>) -> Result<RequestInit, JsValue> {
    let signature = sign_own(
        &SignedRequest {
            method: "GET",
            authority: &config.origin.authority,
            path: question.path,
            query: question.query,
            headers: &[],
        },
        &config.signing_key,
        &isolate.new_id(),
        host::seconds(),
    );
    let headers = Headers::new()?;
    for (name, value) in [
        (identity::REQUEST_ID, isolate.new_id().as_str()),
        ("signature-input", &signature.signature_input),
        ("signature", &signature.signature),
    ] {
        headers.set(name, value)?;
    }
    if let Some(tag) = question.tag {
        headers.set("if-none-match", tag)?;
    }
    let init = RequestInit::new();
    init.set_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(question.timeout)));
    Ok(init)
}
