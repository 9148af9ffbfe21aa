//! How a forwarded request ends: with the upstream's response, or with a problem in its place.
//!
//! Invariant: nothing of the request is kept on this side while the upstream is waited for. What its end needs is
//! bound to a function on the JavaScript side, where it is collected with the request.

use js_sys::{Array, JsString};
use portcullis_shared::identity;
use portcullis_shared::problem::ProblemCode;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Headers, Response, ResponseInit};

use super::host::{self, Continuation, HeaderTexts, Outcome};
use super::inbound::{log, respond, set_cookies};
use super::isolate::Isolate;
use super::outbound::{self, Audience};
use crate::answer::Answer;
use crate::browser;
use crate::config::Upstream;
use crate::decide::Refusal;
use crate::log::Entry;

const SWITCHING_PROTOCOLS: u16 = 101;

thread_local! {
    static REQUEST_ID: JsString = JsString::from(identity::REQUEST_ID);
    static CONTINUATIONS: Continuations = Continuations::new();
}

/// A request that the upstream has been sent.
pub(super) struct Pending {
    pub(super) request_id: JsString,
    /// The number of its route.
    pub(super) route: usize,
    /// When it came, in milliseconds since the epoch.
    pub(super) began: f64,
    /// What ends the wait for response headers, to be taken back in any case.
    pub(super) timer: JsValue,
    /// The `Set-Cookie` headers that the edge adds to the response, whoever makes it.
    pub(super) set_cookies: Vec<String>,
    pub(super) audience: Audience,
}

/// The functions that end a request. They are made once.
struct Continuations {
    answered_by_origin: Continuation,
    answered_by_application: Continuation,
    failed: Continuation,
}

impl Continuations {
    fn new() -> Self {
        let make = |end: fn(&Pending, JsValue) -> JsValue| {
            let end = move |request_id,
                            route,
                            began,
                            timer: JsValue,
                            set_cookies: JsValue,
                            origin,
                            is_secure,
                            outcome| {
                host::clear_timeout(&timer);
                let set_cookies = lines_of(&set_cookies);
                let pending = Pending {
                    request_id,
                    route,
                    began,
                    timer,
                    set_cookies,
                    audience: Audience { origin, is_secure },
                };
                end(&pending, outcome)
            };
            Closure::<dyn Fn(JsString, usize, f64, JsValue, JsValue, JsValue, bool, JsValue) -> JsValue>::new(
                end,
            )
            .into_js_value()
            .unchecked_into()
        };
        Self {
            answered_by_origin: make(|pending, response| answered(pending, response, |_| Ok(()), yields)),
            answered_by_application: make(|pending, response| {
                answered(pending, response, withhold_product_cookies, |_| false)
            }),
            failed: make(|pending, _error| {
                let refusal = Refusal::new(ProblemCode::BadGateway, "the upstream could not be reached");
                pending.fail(&refusal)
            }),
        }
    }
}

impl Pending {
    /// The promise of the response for the client.
    pub(super) fn after(self, outcome: &Outcome, upstream: &Upstream) -> JsValue {
        let set_cookies = if self.set_cookies.is_empty() {
            JsValue::UNDEFINED
        } else {
            self.set_cookies.into()
        };
        CONTINUATIONS.with(|continuations| {
            let bind = |continuation: &Continuation| {
                let (id, route, began) = (&self.request_id, self.route, self.began);
                let Audience { origin, is_secure } = &self.audience;
                let (timer, cookies) = (&self.timer, &set_cookies);
                continuation.with(
                    &JsValue::UNDEFINED,
                    id,
                    route,
                    began,
                    timer,
                    cookies,
                    origin,
                    *is_secure,
                )
            };
            let answered = if upstream.is_origin() {
                &continuations.answered_by_origin
            } else {
                &continuations.answered_by_application
            };
            outcome.then(&bind(answered), &bind(&continuations.failed))
        })
    }

    fn fail(&self, refusal: &Refusal) -> JsValue {
        self.log(
            refusal.code.as_str(),
            refusal.code.status(),
            Some(&refusal.reason),
        );
        let request_id = String::from(&self.request_id);
        let answer = Answer::refusing(refusal, &request_id).setting(self.set_cookies.clone());
        let Some(config) = Isolate::current().known_config() else {
            return respond(&answer);
        };
        let Audience { origin, is_secure } = &self.audience;
        let origin = origin.as_string();
        respond(&answer.under(
            outbound::rules_of(&config, self.route),
            origin.as_deref(),
            *is_secure,
        ))
    }

    fn log(&self, decision: &str, status: u16, reason: Option<&str>) {
        let Some(config) = Isolate::current().known_config() else {
            return;
        };
        if !config.log_requests.covers(reason.is_some()) {
            return;
        }
        let mut routes = config.policy.routes();
        let route = routes.find(|route| route.number == self.route);
        let request_id = String::from(&self.request_id);
        log(&Entry {
            request_id: &request_id,
            route: route.map(|route| route.path.as_str()),
            decision,
            status,
            ms: host::now() - self.began,
            reason,
        });
    }
}

/// The race is over: `response` is the upstream's, or `undefined` when the clock was first. `clean` takes out of its
/// headers what is not the upstream's to set; `yields` says whether the upstream has decided about the session itself.
fn answered(
    pending: &Pending,
    response: JsValue,
    clean: impl FnOnce(&Headers) -> Result<(), JsValue>,
    yields: impl FnOnce(&Headers) -> bool,
) -> JsValue {
    if response.is_undefined() {
        let reason = "the upstream sent no response headers in time";
        return pending.fail(&Refusal::new(ProblemCode::GatewayTimeout, reason));
    }
    let response: Response = response.unchecked_into();
    let init = response.unchecked_ref::<ResponseInit>();
    let made =
        Response::new_with_opt_readable_stream_and_init(response.body().as_ref(), init).and_then(|own| {
            let headers = own.headers();
            clean(&headers)?;
            let texts: &HeaderTexts = headers.unchecked_ref();
            // What opens a WebSocket is no answer that a browser would show or keep.
            if own.status() != SWITCHING_PROTOCOLS {
                outbound::finish(texts, pending.route, &pending.audience)?;
            }
            REQUEST_ID.with(|name| texts.set(name, &pending.request_id))?;
            if !pending.set_cookies.is_empty() && !yields(&headers) {
                set_cookies(&own, &pending.set_cookies)?;
            }
            Ok(own)
        });
    let Ok(own) = made else {
        let reason = "the upstream's response cannot be passed on";
        return pending.fail(&Refusal::new(ProblemCode::BadGateway, reason));
    };
    pending.log("pass", own.status(), None);
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
