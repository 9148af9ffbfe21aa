//! Forwarding: the same method, path, query and body, other headers, and a signature over who asks for what.

use std::net::IpAddr;

use portcullis_shared::identity;
use portcullis_shared::request_signature::{SignedRequest, sign};
use wasm_bindgen::JsValue;

use super::ending::Outgoing;
use super::inbound::Inbound;
use super::isolate::Isolate;
use super::outbound::Audience;
use super::{Identity, SharedIdentity, host, report};
use crate::browser::{self, CookieFate, Renewal};
use crate::config::{Config, Upstream};
use crate::decide::{Pass, RequestView as _};
use crate::hygiene;
use crate::path::Target;

const AUTHORIZATION: &str = "authorization";
const COOKIE: &str = "cookie";
/// Where the platform puts the client's address.
const CONNECTING_IP: &str = "cf-connecting-ip";

/// Sends the request to `upstream` and returns the promise of the response for the client.
///
/// What is removed comes from outside, what is set comes from here: a header of ours that `hygiene` missed would be
/// replaced all the same.
pub(super) fn forward(
    isolate: &Isolate,
    config: &Config,
    inbound: &Inbound,
    upstream: &Upstream,
    pass: &Pass<'_, SharedIdentity>,
) -> Result<JsValue, JsValue> {
    let Pass { route, target, .. } = pass;
    let identity = pass.identity.as_ref().map(|identity| &*identity.0);
    let names = host::header_names(&inbound.headers);
    let mut plan = hygiene::plan(&names, |name| inbound.headers.get(name).ok().flatten());
    if pass.withholds_bearer {
        plan.remove.push(AUTHORIZATION);
    }
    let mut own = String::with_capacity(768);
    if !upstream.is_origin() {
        plan.remove.append(&mut plan.withhold);
    }
    if plan.has_cookies {
        let came = inbound.cookie().filter(|_| !plan.remove.contains(&COOKIE));
        match cookies(upstream, came.unwrap_or_default(), pass.cookies, &inbound.renewal) {
            Some(kept) if kept.is_empty() => plan.remove.push(COOKIE),
            Some(kept) => push(&mut own, COOKIE, &kept),
            None => {}
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
    let shadow = pass.shadow.as_ref().map(|refusal| refusal.code.as_str());
    signed.extend(shadow.map(|code| (identity::SHADOW, code)));
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

    for (name, value) in [
        (identity::REVOCATIONS_AGE, stale.as_deref()),
        (identity::SHADOW, shadow),
        (identity::CLIENT_IP, client_address.as_deref()),
        (identity::REQUEST_ID, Some(inbound.request_id.as_str())),
        ("signature-input", Some(signature.signature_input.as_str())),
        ("signature", Some(signature.signature.as_str())),
    ] {
        if let Some(value) = value {
            push(&mut own, name, value);
        }
    }
    Outgoing {
        inbound,
        upstream,
        route,
        url: &url(upstream, target),
        removed: &plan.remove.join(","),
        identity: identity.map(Identity::texts),
        own: &own,
        trace: inbound.trace(inbound.decided_at, pass.stale).by(route.number),
        shadow: report::shadow_text(pass),
        set_cookies: browser::set_cookies(pass.cookies, &inbound.renewal),
        audience: Audience::of(route.answers.cors.as_ref(), inbound.url(), || inbound.origin()),
    }
    .send()
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

/// The `Cookie` value that `upstream` gets where it is another than the one that came: the session as it is by now for the
/// origin, and nothing of the product's for others. Empty where it gets none.
fn cookies(upstream: &Upstream, came: &str, fate: CookieFate, renewal: &Renewal) -> Option<String> {
    if upstream.is_origin() {
        browser::cookies_for_origin(came, fate, renewal)
    } else {
        hygiene::has_product_cookie(came).then(|| hygiene::foreign_cookies(came).unwrap_or_default())
    }
}

/// Adds a header to those that are set. Neither part holds a line break.
fn push(own: &mut String, name: &str, value: &str) {
    for text in [name, value] {
        own.push_str(text);
        own.push('\n');
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
