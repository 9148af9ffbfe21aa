//! Forwarding: the same method, path, query and body, other headers, and a signature over who asks for what.

use std::net::IpAddr;

use js_sys::JsString;
use portcullis_shared::identity;
use portcullis_shared::request_signature::{SignedRequest, sign};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Headers, Request, RequestInit};

use super::SharedIdentity;
use super::ending::Pending;
use super::host::{self, HeaderTexts};
use super::inbound::Inbound;
use super::isolate::Isolate;
use super::outbound::Audience;
use crate::browser::{self, CookieFate, Renewal};
use crate::config::{Config, Upstream};
use crate::decide::{Pass, RequestView as _};
use crate::hygiene;
use crate::path::Target;

const AUTHORIZATION: &str = "authorization";
/// Where the platform puts the client's address.
const CONNECTING_IP: &str = "cf-connecting-ip";

thread_local! {
    static NAMES: Names = Names::new();
}

/// The names of headers that every forwarded request gets, on the JavaScript side.
struct Names {
    request_id: JsString,
    client_address: JsString,
    revocations_age: JsString,
    signature_input: JsString,
    signature: JsString,
}

impl Names {
    fn new() -> Self {
        Self {
            request_id: JsString::from(identity::REQUEST_ID),
            client_address: JsString::from(identity::CLIENT_IP),
            revocations_age: JsString::from(identity::REVOCATIONS_AGE),
            signature_input: JsString::from("signature-input"),
            signature: JsString::from("signature"),
        }
    }
}

/// Sends the request to `upstream` and returns the promise of the response for the client.
///
/// The platform hands requests in with `redirect: "manual"`, and a request made of one inherits that: the
/// client, not the edge, follows redirects.
pub(super) fn forward(
    isolate: &Isolate,
    config: &Config,
    inbound: &Inbound,
    upstream: &Upstream,
    pass: &Pass<'_, SharedIdentity>,
) -> Result<JsValue, JsValue> {
    let Pass { route, target, .. } = pass;
    let identity = pass.identity.as_ref().map(|identity| &*identity.0);
    let url = url(upstream, target);
    let request = Request::new_with_str_and_init(&url, inbound.request.unchecked_ref::<RequestInit>())?;
    let headers = request.headers();
    let names = host::header_names(&headers);
    let plan = hygiene::plan(&names, |name| headers.get(name).ok().flatten());
    for name in &plan.remove {
        headers.delete(name)?;
    }
    if plan.has_cookies {
        if upstream.is_origin() {
            update_session_cookies(&headers, pass.cookies, &inbound.renewal)?;
        } else {
            withhold_product_cookies(&headers)?;
        }
    }

    let client_address = client_address(inbound);
    let stale = pass.stale.map(|age| age.to_string());
    let mut signed: Vec<(&str, &str)> = Vec::with_capacity(12);
    signed.extend(
        identity
            .iter()
            .flat_map(|identity| &identity.headers)
            .map(|(name, value)| (*name, value.as_str())),
    );
    signed.extend(stale.as_deref().map(|age| (identity::REVOCATIONS_AGE, age)));
    signed.extend(
        client_address
            .as_deref()
            .map(|address| (identity::CLIENT_IP, address)),
    );
    signed.extend(
        inbound
            .authorization()
            .filter(|_| !plan.remove.contains(&AUTHORIZATION))
            .map(|value| (AUTHORIZATION, value)),
    );
    let signature = sign(
        &SignedRequest {
            method: inbound.method(),
            authority: &upstream.authority,
            path: target.path(),
            query: target.query(),
            headers: &signed,
        },
        &config.signing_key,
        &isolate.new_id(),
        inbound.now(),
    );

    let headers: &HeaderTexts = headers.unchecked_ref();
    let request_id = JsString::from(inbound.request_id.as_str());
    for (name, value) in identity.iter().flat_map(|identity| &identity.texts) {
        headers.set(name, value)?;
    }
    NAMES.with(|names| {
        if let Some(age) = stale {
            headers.set(&names.revocations_age, &JsString::from(age))?;
        }
        if let Some(address) = client_address {
            headers.set(&names.client_address, &JsString::from(address))?;
        }
        headers.set(&names.request_id, &request_id)?;
        headers.set(&names.signature_input, &JsString::from(signature.signature_input))?;
        headers.set(&names.signature, &JsString::from(signature.signature))
    })?;

    let (outcome, timer) = host::send_within(&request, f64::from(route.timeout_seconds) * 1000.0);
    let pending = Pending {
        request_id,
        route: route.number,
        began: inbound.began,
        timer,
        set_cookies: browser::set_cookies(pass.cookies, &inbound.renewal),
        audience: Audience::of(route.answers.cors.as_ref(), inbound.url(), || inbound.origin()),
    };
    Ok(pending.after(&outcome, upstream))
}

fn url(upstream: &Upstream, target: &Target<'_>) -> String {
    let mut url = String::with_capacity(upstream.base.len() + target.path().len() + 64);
    url.push_str(&upstream.base);
    url.push_str(target.path());
    if let Some(query) = target.query() {
        url.push('?');
        url.push_str(query);
    }
    url
}

fn withhold_product_cookies(headers: &Headers) -> Result<(), JsValue> {
    match headers.get("cookie")? {
        Some(cookies) if hygiene::has_product_cookie(&cookies) => match hygiene::foreign_cookies(&cookies) {
            Some(kept) => headers.set("cookie", &kept),
            None => headers.delete("cookie"),
        },
        Some(_) | None => Ok(()),
    }
}

/// Puts the session as it is by now in the place of the one that came, or takes it out where it is good for nothing.
fn update_session_cookies(headers: &Headers, fate: CookieFate, renewal: &Renewal) -> Result<(), JsValue> {
    let cookies = headers.get("cookie")?.unwrap_or_default();
    match browser::cookies_for_origin(&cookies, fate, renewal) {
        Some(kept) if kept.is_empty() => headers.delete("cookie"),
        Some(kept) => headers.set("cookie", &kept),
        None => Ok(()),
    }
}

/// The address of the client; anything else than an address is not passed on.
pub(super) fn client_address(inbound: &Inbound) -> Option<String> {
    inbound
        .headers
        .get(CONNECTING_IP)
        .ok()
        .flatten()
        .filter(|address| address.parse::<IpAddr>().is_ok())
}
