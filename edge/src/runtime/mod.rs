//! The Worker around the decision: it reads the request, asks [`decide`], and does what was decided.
//!
//! Invariants:
//! - Requests share data, never promises: the platform cancels what another request waits for.
//! - Nothing of a forwarded request lives in Rust while the upstream is waited for, so a client that goes away
//!   leaves nothing behind.
//! - Whatever fails on the way to a response is a problem with the request's id.

mod forward;
mod host;
mod inbound;
mod isolate;
mod keys;
mod random;
mod task;

use std::rc::Rc;

use js_sys::JsString;
use portcullis_shared::claims::AccessClaims;
use portcullis_shared::identity;
use portcullis_shared::problem::ProblemCode;
use wasm_bindgen::JsValue;
use web_sys::Request;

use crate::config::Config;
use crate::decide::{Decision, Pass, Refusal, TokenVerdict, decide};
use crate::policy::Destination;
use inbound::Inbound;
use isolate::Isolate;

/// What a verified token proves, ready to be forwarded.
#[derive(Debug)]
pub(crate) struct Identity {
    claims: AccessClaims,
    headers: Vec<(&'static str, String)>,
    /// The same headers on the JavaScript side, so that they cross over once and not with each request.
    texts: Vec<(JsString, JsString)>,
}

impl Identity {
    fn of(claims: AccessClaims) -> Self {
        let headers = identity::headers(&claims);
        let texts = headers
            .iter()
            .map(|(name, value)| (JsString::from(*name), JsString::from(value.as_str())))
            .collect();
        Self {
            claims,
            headers,
            texts,
        }
    }
}

/// The same, shared between the token cache and the requests that use it.
#[derive(Clone, Debug)]
pub(crate) struct SharedIdentity(Rc<Identity>);

impl std::borrow::Borrow<AccessClaims> for SharedIdentity {
    fn borrow(&self) -> &AccessClaims {
        &self.0.claims
    }
}

/// What came of one attempt to decide.
enum Step {
    Respond(JsValue),
    Verify(String),
}

/// Handles one request: the result is a response, or a promise of one.
pub(crate) fn handle(request: Request, environment: &JsValue) -> JsValue {
    let isolate = Isolate::current();
    let inbound = Inbound::of(request, &isolate);
    let Some(config) = isolate.config(environment) else {
        let refusal = Refusal::new(ProblemCode::InternalError, "the configuration has mistakes");
        return inbound.refuse(&refusal, true);
    };
    let now = inbound.now();
    let token = match step(&isolate, &config, &inbound, |token| isolate.known(token, now)) {
        Step::Respond(response) => return response,
        Step::Verify(token) => token,
    };
    task::run(async move {
        let verdict = keys::verify(&isolate, &config, &token, now).await;
        match step(&isolate, &config, &inbound, |_| verdict) {
            Step::Respond(response) => response,
            // `verify` never answers that it does not know.
            Step::Verify(_) => inbound.refuse(&Refusal::new(ProblemCode::InternalError, "no verdict"), true),
        }
    })
}

fn step(
    isolate: &Isolate,
    config: &Config,
    inbound: &Inbound,
    known: impl FnOnce(&str) -> TokenVerdict<SharedIdentity>,
) -> Step {
    let pass = match decide(inbound, &config.policy, known, inbound.now()) {
        Decision::Pass(pass) => pass,
        Decision::Verify(token) => return Step::Verify(token.to_owned()),
        Decision::Refuse(refusal) => {
            return Step::Respond(inbound.refuse(&refusal, config.log_requests.covers(true)));
        }
    };
    let Pass {
        route,
        target,
        identity,
    } = pass;
    let identity = identity.as_ref().map(|identity| &*identity.0);
    let upstream = match &route.destination {
        Destination::ForwardAuth => {
            return Step::Respond(inbound.permit(&route, identity, config.log_requests.covers(false)));
        }
        Destination::Upstream(name) => config.upstream(name),
    };
    // The configuration has every upstream that its policy names.
    let forwarded = upstream.and_then(|upstream| {
        forward::forward(isolate, config, inbound, &route, upstream, &target, identity).ok()
    });
    Step::Respond(forwarded.unwrap_or_else(|| {
        let refusal = Refusal::new(ProblemCode::InternalError, "the request could not be rebuilt");
        inbound.refuse(&refusal, config.log_requests.covers(true))
    }))
}
