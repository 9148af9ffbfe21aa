//! A request as it came, and the answers the edge gives to it.

use std::cell::Cell;

use js_sys::JsString;
use portcullis_shared::identity;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Headers, Request, Response};

use super::SharedIdentity;
use super::host::{self, ExecutionContext, HeaderTexts};
use super::isolate::Isolate;
use super::outbound::is_secure;
use super::report;
use crate::answer::Answer;
use crate::answer_rules::AnswerRules;
use crate::browser::{self, Renewal};
use crate::config::Watch;
use crate::cors;
use crate::decide::{Pass, Preflight, Refusal, RequestView};
use crate::request_id;
use crate::tally::Tally;
use crate::trace::{Rounds, Verdict};

/// The names of the headers that each request is asked for, on the JavaScript side.
struct Names {
    request_id: JsString,
    authorization: JsString,
    cookie: JsString,
    origin: JsString,
}

thread_local! {
    static NAMES: Names = Names {
        request_id: JsString::from(identity::REQUEST_ID),
        authorization: JsString::from("authorization"),
        cookie: JsString::from("cookie"),
        origin: JsString::from(cors::ORIGIN),
    };
}

/// A request, with what every decision reads already out of JavaScript.
pub(super) struct Inbound {
    pub(super) context: ExecutionContext,
    pub(super) request: Request,
    pub(super) headers: Headers,
    pub(super) request_id: String,
    /// When it came, in milliseconds since the epoch.
    pub(super) began: f64,
    /// For which moment it is decided upon, in milliseconds since the epoch.
    pub(super) decided_at: f64,
    method: String,
    url: String,
    authorization: Option<String>,
    cookie: Option<String>,
    /// What came of refreshing its session on the way.
    pub(super) renewal: Renewal,
    /// How the verdict on its token was come by.
    pub(super) verdict: Cell<Verdict>,
    /// What was waited for.
    pub(super) rounds: Rounds,
    /// What the limits of its route have said so far.
    pub(super) tally: Tally,
}

impl Inbound {
    pub(super) fn of(request: Request, context: ExecutionContext, isolate: &Isolate) -> Self {
        let headers = request.headers();
        let texts: &HeaderTexts = headers.unchecked_ref();
        let header = |name: &JsString| texts.get(name).ok().flatten();
        let (given, authorization, cookie) = NAMES.with(|names| {
            (
                header(&names.request_id),
                header(&names.authorization),
                header(&names.cookie),
            )
        });
        let given = given.filter(|id| request_id::is_acceptable(id));
        let began = host::now();
        Self {
            request_id: given.unwrap_or_else(|| isolate.new_id()),
            began,
            decided_at: began,
            method: request.method(),
            url: request.url(),
            authorization,
            cookie,
            renewal: Renewal::Untried,
            verdict: Cell::default(),
            rounds: Rounds::default(),
            tally: Tally::default(),
            headers,
            request,
            context,
        }
    }

    /// The moment for which it is decided upon, in seconds since the epoch.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seconds since the epoch fit, and a cast saturates"
    )]
    pub(super) fn now(&self) -> i64 {
        (self.decided_at / 1000.0) as i64
    }

    /// Decides for the present moment from here on, after something was waited for.
    pub(super) fn look_at_the_clock(&mut self) {
        self.decided_at = host::now();
    }

    /// Answers with a problem.
    pub(super) fn refuse(&self, refusal: &Refusal, watch: Watch) -> JsValue {
        let timing = report::refused(self, refusal, watch);
        let cookies = browser::set_cookies(refusal.cookies, &self.renewal);
        let answer = Answer::refusing(refusal, &self.request_id)
            .setting(cookies)
            .timed(timing);
        let Some(config) = Isolate::current().known_config() else {
            return respond_strictly(answer, is_secure(&self.url));
        };
        let route = refusal.route.as_ref();
        let rules = route.map_or(&config.policy.answers, |route| &route.answers);
        let origin = rules.cors.as_ref().and_then(|_| self.origin());
        respond(&answer.under(rules, origin.as_deref(), is_secure(&self.url)))
    }

    /// Answers what a browser asks before it sends a request.
    pub(super) fn preflight(&self, preflight: &Preflight, watch: Watch) -> JsValue {
        let answer = Answer::to_preflight(preflight, &self.request_id, is_secure(&self.url));
        let timing = report::asked_beforehand(self, preflight, answer.status, watch);
        respond(&answer.timed(timing))
    }

    /// The `Origin` of the page that sent it, where a browser says one.
    pub(super) fn origin(&self) -> Option<String> {
        let texts: &HeaderTexts = self.headers.unchecked_ref();
        NAMES.with(|names| texts.get(&names.origin).ok().flatten())
    }

    /// Answers that the request may pass.
    pub(super) fn permit(&self, pass: &Pass<'_, SharedIdentity>, watch: Watch) -> JsValue {
        let headers = pass
            .identity
            .as_ref()
            .map_or(&[][..], |identity| &identity.0.headers);
        let cookies = browser::set_cookies(pass.cookies, &self.renewal);
        let shadow = pass.shadow.as_ref();
        let answer = Answer::permitting(headers, pass.stale, shadow, &self.request_id).setting(cookies);
        let timing = report::permitted(self, pass, answer.status, watch);
        respond(&answer.timed(timing))
    }
}

impl RequestView for Inbound {
    fn method(&self) -> &str {
        &self.method
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).ok().flatten()
    }

    fn renewal(&self) -> &Renewal {
        &self.renewal
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

/// Adds `Set-Cookie` headers, and keeps a response that has any out of every cache.
pub(super) fn set_cookies(response: &Response, lines: &[String]) -> Result<(), JsValue> {
    if lines.is_empty() {
        return Ok(());
    }
    let headers = response.headers();
    for line in lines {
        headers.append("set-cookie", line)?;
    }
    // Caches that know one of these prefer it (RFC 9213).
    for name in [
        "cdn-cache-control",
        "cloudflare-cdn-cache-control",
        "surrogate-control",
    ] {
        headers.delete(name)?;
    }
    headers.set("cache-control", "private, no-store")
}

/// Makes the platform's response. Where it will not make one, its error goes back in its place, and the
/// platform answers 500.
pub(super) fn respond(answer: &Answer<'_>) -> JsValue {
    let made = host::answer(answer.status, &answer.header_text(), answer.body.as_deref()).and_then(|made| {
        set_cookies(&made, &answer.set_cookies)?;
        Ok(made)
    });
    made.map_or_else(|error| error, JsValue::from)
}

/// The same where no rules of a policy are known: with what holds where a policy says nothing.
pub(super) fn respond_strictly(answer: Answer<'_>, is_secure: bool) -> JsValue {
    respond(&answer.under(&AnswerRules::strict(), None, is_secure))
}
