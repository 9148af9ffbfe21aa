//! Refreshing the session of a browser on the way: the edge asks the origin as one of our own pages would.

use portcullis_shared::cookies::SessionCookie;
use portcullis_shared::identity;
use portcullis_shared::problem::ProblemCode;
use portcullis_shared::request_signature::{SignedRequest, sign};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, RequestRedirect, Response};

use super::body;
use super::forward::client_address;
use super::host::{self, HeaderTexts};
use super::inbound::Inbound;
use super::isolate::Isolate;
use crate::browser::{Renewal, Renewed};
use crate::config::Config;
use crate::decide::RequestView as _;
use crate::renewals::Turn;

const REFRESH_PATH: &str = "/auth/refresh";
const USER_AGENT: &str = "user-agent";
/// How long the origin may take to answer, in milliseconds.
const TIMEOUT_MILLISECONDS: u32 = 5000;
/// How soon a request looks again that lets another one ask, in milliseconds.
const LOOK_AGAIN_MILLISECONDS: u32 = 20;
/// How often it does: for as long as the other may take.
const MOST_LOOKS: u32 = TIMEOUT_MILLISECONDS / LOOK_AGAIN_MILLISECONDS;
/// The longest problem document that is read, in bytes.
const LONGEST_PROBLEM: usize = 16 * 1024;
/// When to try again where the origin does not say, in seconds.
const RETRY_AFTER: u32 = 1;

/// Refreshes the session that `token` belongs to, or uses what came of it for another request a moment ago.
pub(super) async fn refresh(isolate: &Isolate, config: &Config, inbound: &Inbound, token: &str) -> Renewal {
    let client = client_address(inbound).unwrap_or_default();
    for looks in 0..MOST_LOOKS {
        let turn = isolate
            .renewals
            .borrow_mut()
            .begin(token, &client, looks > 0, host::seconds());
        match turn {
            Turn::Use(outcome) => return outcome,
            Turn::Ask => {
                let outcome = ask(isolate, config, inbound, token).await;
                let mut renewals = isolate.renewals.borrow_mut();
                renewals.done(token, &client, outcome.clone(), host::seconds());
                return outcome;
            }
            Turn::Wait => {}
        }
        // The other request's promise must not be waited for; its outcome may be looked at.
        let _kept = JsFuture::from(host::pause(LOOK_AGAIN_MILLISECONDS.into())).await;
    }
    ask(isolate, config, inbound, token).await
}

/// Asks the origin.
async fn ask(isolate: &Isolate, config: &Config, inbound: &Inbound, token: &str) -> Renewal {
    const FAILED: Renewal = Renewal::Failed {
        retry_after: RETRY_AFTER,
    };
    let Ok(init) = request(isolate, config, inbound, token) else {
        return FAILED;
    };
    let url = format!("{}{REFRESH_PATH}", config.origin.base);
    let Ok(response) = JsFuture::from(host::ask(&url, &init)).await else {
        return FAILED;
    };
    let response: Response = response.unchecked_into();
    let headers = response.headers();
    match response.status() {
        200 => {
            Renewed::of(headers.unchecked_ref::<HeaderTexts>().set_cookies()).map_or(FAILED, Renewal::Renewed)
        }
        401 if is_refusal_of_the_token(&response).await => Renewal::Refused,
        429 => Renewal::Limited {
            retry_after: retry_after(&headers),
        },
        _ => Renewal::Failed {
            retry_after: retry_after(&headers),
        },
    }
}

/// Whether it is the token that was refused. A signature of ours that does not hold is a 401 too, and so may be the
/// answer of something in front of the origin; neither is a reason to sign anybody out.
async fn is_refusal_of_the_token(response: &Response) -> bool {
    let codes = [ProblemCode::InvalidRefreshToken, ProblemCode::RefreshTokenReused];
    let body = body::read(response, LONGEST_PROBLEM).await.unwrap_or_default();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let code = problem.get("code").and_then(serde_json::Value::as_str);
    codes.iter().any(|refused| code == Some(refused.as_str()))
}

fn retry_after(headers: &Headers) -> u32 {
    let value = headers.get("retry-after").ok().flatten();
    value
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(RETRY_AFTER)
}

fn request(
    isolate: &Isolate,
    config: &Config,
    inbound: &Inbound,
    token: &str,
) -> Result<RequestInit, JsValue> {
    let client_address = client_address(inbound);
    let signed: Vec<(&str, &str)> = client_address
        .iter()
        .map(|address| (identity::CLIENT_IP, address.as_str()))
        .collect();
    let signature = sign(
        &SignedRequest {
            method: "POST",
            authority: &config.origin.authority,
            path: REFRESH_PATH,
            query: None,
            headers: &signed,
        },
        &config.signing_key,
        &isolate.new_id(),
        host::seconds(),
    );
    let headers = Headers::new()?;
    for (name, value) in signed {
        headers.set(name, value)?;
    }
    // Not `X-Tenant`: the session has its tenant, and whether the request is for another is judged afterwards.
    if let Some(agent) = inbound.header(USER_AGENT) {
        headers.set(USER_AGENT, &agent)?;
    }
    let cookie = format!("{}={token}", SessionCookie::Refresh.name());
    for (name, value) in [
        ("cookie", cookie.as_str()),
        // What the browser asked for is safe wherever it came from, and this is done in its name by us.
        ("sec-fetch-site", "same-origin"),
        (identity::REQUEST_ID, &inbound.request_id),
        ("signature-input", &signature.signature_input),
        ("signature", &signature.signature),
    ] {
        headers.set(name, value)?;
    }
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(TIMEOUT_MILLISECONDS)));
    Ok(init)
}
