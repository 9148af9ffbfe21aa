//! How a forwarded request ends: with the upstream's response, or with a problem in its place.
//!
//! Invariants:
//! - Nothing of the request is kept on this side while the upstream is waited for. What its end needs is kept on the
//!   JavaScript side, where it is collected with the request.
//! - What ends it is an exported function and no closure. A closure belongs to the instance of the module that made it,
//!   and a panic, which replaces the instance, would take with it every request whose upstream has not answered yet.

use js_sys::Array;
use portcullis_shared::problem::ProblemCode;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::Headers;

use super::host::{self, Continuation, HeaderTexts, Kept};
use super::inbound::{Inbound, respond, respond_strictly, set_cookies};
use super::isolate::Isolate;
use super::outbound::{self, Audience};
use super::report;
use crate::answer::Answer;
use crate::browser;
use crate::config::Upstream;
use crate::decide::Refusal;
use crate::policy::Route;
use crate::trace::Trace;

thread_local! {
    static CONTINUATIONS: Continuations = Continuations::new();
}

/// A request on its way to an upstream.
pub(super) struct Outgoing<'o> {
    pub(super) inbound: &'o Inbound,
    pub(super) upstream: &'o Upstream,
    pub(super) route: &'o Route,
    pub(super) url: &'o str,
    /// Names of headers that go no further, parted by commas.
    pub(super) removed: &'o str,
    /// Names and values of identity headers in turn.
    pub(super) identity: Option<&'o Array>,
    /// Names and values of the other headers that are set, each with a line break after it.
    pub(super) own: &'o str,
    /// The `Set-Cookie` headers that the edge adds to the response, whoever makes it.
    pub(super) set_cookies: Vec<String>,
    pub(super) audience: Audience,
    /// What was done for it.
    pub(super) trace: Trace,
    /// What its route in shadow would have refused it for; `undefined` for nothing.
    pub(super) shadow: JsValue,
}

impl Outgoing<'_> {
    /// Sends it. The result is the promise of the response for the client.
    pub(super) fn send(self) -> Result<JsValue, JsValue> {
        let set_cookies = if self.set_cookies.is_empty() {
            JsValue::UNDEFINED
        } else {
            self.set_cookies.into()
        };
        let kept = host::keep(
            &self.inbound.request_id,
            self.trace.to_number(),
            self.inbound.began,
            &set_cookies,
            self.audience.origin.as_deref(),
            self.audience.is_secure,
            self.identity.is_some(),
            &outbound::additions_of(self.route),
            &self.shadow,
        );
        CONTINUATIONS.with(|continuations| {
            let answered = if self.upstream.is_origin() {
                &continuations.answered_by_origin
            } else {
                &continuations.answered_by_application
            };
            host::send(
                &self.inbound.request,
                &self.inbound.headers,
                self.url,
                self.removed,
                self.identity.unwrap_or(&continuations.nobody),
                self.own,
                f64::from(self.route.timeout_seconds) * 1000.0,
                answered,
                &continuations.failed,
                &kept,
            )
        })
    }
}

/// The functions that end a request, and what a request has that nobody vouches for, on the JavaScript side.
struct Continuations {
    answered_by_origin: Continuation,
    answered_by_application: Continuation,
    failed: Continuation,
    nobody: Array,
}

impl Continuations {
    fn new() -> Self {
        host::HANDED.with(|handed| Self {
            answered_by_origin: handed.answered_by_origin(),
            answered_by_application: handed.answered_by_application(),
            failed: handed.failed(),
            nobody: Array::new(),
        })
    }
}

/// The origin has answered, or the clock was first.
pub(crate) fn answered_by_origin(kept: &Kept, response: &JsValue) -> JsValue {
    read_configuration();
    answered(kept, response, |_| Ok(()), yields)
}

/// An application has answered, or the clock was first.
pub(crate) fn answered_by_application(kept: &Kept, response: &JsValue) -> JsValue {
    read_configuration();
    answered(kept, response, withhold_product_cookies, |_| false)
}

/// The upstream could not be asked, or what it said is no answer.
pub(crate) fn failed(kept: &Kept) -> JsValue {
    read_configuration();
    let refusal = Refusal::new(ProblemCode::BadGateway, "the upstream could not be reached");
    fail(kept, &refusal)
}

/// In an instance that is new since a panic, no request may have brought the environment yet.
fn read_configuration() {
    let isolate = Isolate::current();
    if isolate.known_config().is_none() {
        host::HANDED.with(|handed| isolate.config(&handed.environment()));
    }
}

fn fail(kept: &Kept, refusal: &Refusal) -> JsValue {
    let timing = report::failed(kept, refusal);
    let request_id = kept.request_id();
    let answer = Answer::refusing(refusal, &request_id).setting(lines_of(&kept.cookies()));
    let answer = answer.timed(timing);
    let Some(config) = Isolate::current().known_config() else {
        return respond_strictly(answer, kept.is_secure());
    };
    let origin = kept.origin();
    let route = Trace::of_number(kept.trace()).route();
    respond(&answer.under(
        outbound::rules_of(&config, route),
        origin.as_deref(),
        kept.is_secure(),
    ))
}

/// The wait is over: `response` is the upstream's, or `undefined` when the clock was first. `clean` takes out of its
/// headers what is not the upstream's to set; `yields` says whether the upstream has decided about the session itself.
fn answered(
    kept: &Kept,
    response: &JsValue,
    clean: impl FnOnce(&Headers) -> Result<(), JsValue>,
    yields: impl FnOnce(&Headers) -> bool,
) -> JsValue {
    if response.is_undefined() {
        let reason = "the upstream sent no response headers in time";
        return fail(kept, &Refusal::new(ProblemCode::GatewayTimeout, reason));
    }
    let made = host::reply(response.unchecked_ref(), kept).and_then(|own| {
        let headers = own.headers();
        clean(&headers)?;
        let cookies = kept.cookies();
        if !cookies.is_undefined() && !yields(&headers) {
            set_cookies(&own, &lines_of(&cookies))?;
        }
        Ok(own)
    });
    let Ok(own) = made else {
        let reason = "the upstream's response cannot be passed on";
        return fail(kept, &Refusal::new(ProblemCode::BadGateway, reason));
    };
    report::passed_on(kept, &own);
    own.into()
}

/// Whether the origin sets or deletes a session itself, as a login does: what the edge would add is about the one before.
fn yields(headers: &Headers) -> bool {
    browser::set_session_cookies(&headers.unchecked_ref::<HeaderTexts>().set_cookies())
}

fn withhold_product_cookies(headers: &Headers) -> Result<(), JsValue> {
    const SET_COOKIE: &str = "set-cookie";
    let lines = headers.unchecked_ref::<HeaderTexts>().set_cookies();
    let Some(foreign) = browser::foreign_set_cookies(&lines) else {
        return Ok(());
    };
    headers.delete(SET_COOKIE)?;
    foreign
        .into_iter()
        .try_for_each(|line| headers.append(SET_COOKIE, line))
}

/// The lines of a JavaScript array; none where it is `undefined`.
fn lines_of(lines: &JsValue) -> Vec<String> {
    if lines.is_undefined() {
        return Vec::new();
    }
    let lines = Array::from(lines);
    lines.iter().filter_map(|line| line.as_string()).collect()
}
