//! A request as it came, and the answers the edge gives to it.

use js_sys::JsString;
use portcullis_shared::identity;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Headers, Request, Response, ResponseInit};

use super::SharedIdentity;
use super::host::{self, ExecutionContext, HeaderTexts};
use super::isolate::Isolate;
use crate::answer::Answer;
use crate::decide::{Pass, Refusal, RequestView};
use crate::log::Entry;
use crate::request_id;

/// The names of the headers that each request is asked for, on the JavaScript side.
struct Names {
    request_id: JsString,
    authorization: JsString,
}

thread_local! {
    static NAMES: Names = Names {
        request_id: JsString::from(identity::REQUEST_ID),
        authorization: JsString::from("authorization"),
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
    method: String,
    url: String,
    authorization: Option<String>,
}

impl Inbound {
    pub(super) fn of(request: Request, context: ExecutionContext, isolate: &Isolate) -> Self {
        let headers = request.headers();
        let texts: &HeaderTexts = headers.unchecked_ref();
        let (given, authorization) =
            NAMES.with(|names| (texts.get(&names.request_id), texts.get(&names.authorization)));
        let given = given.ok().flatten().filter(|id| request_id::is_acceptable(id));
        Self {
            request_id: given.unwrap_or_else(|| isolate.new_id()),
            began: host::now(),
            method: request.method(),
            url: request.url(),
            authorization: authorization.ok().flatten(),
            headers,
            request,
            context,
        }
    }

    /// When it came, in seconds since the epoch.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seconds since the epoch fit, and a cast saturates"
    )]
    pub(super) fn now(&self) -> i64 {
        (self.began / 1000.0) as i64
    }

    /// Answers with a problem.
    pub(super) fn refuse(&self, refusal: &Refusal, is_logged: bool) -> JsValue {
        if is_logged {
            log(&Entry {
                request_id: &self.request_id,
                route: refusal.route.as_ref().map(|route| route.path.as_str()),
                decision: refusal.code.as_str(),
                status: refusal.code.status(),
                ms: host::now() - self.began,
                reason: Some(&refusal.reason),
            });
        }
        respond(&Answer::refusing(refusal, &self.request_id))
    }

    /// Answers that the request may pass.
    pub(super) fn permit(&self, pass: &Pass<'_, SharedIdentity>, is_logged: bool) -> JsValue {
        let headers = pass
            .identity
            .as_ref()
            .map_or(&[][..], |identity| &identity.0.headers);
        let answer = Answer::permitting(headers, pass.stale, &self.request_id);
        if is_logged {
            log(&Entry {
                request_id: &self.request_id,
                route: Some(&pass.route.path),
                decision: "pass",
                status: answer.status,
                ms: host::now() - self.began,
                reason: None,
            });
        }
        respond(&answer)
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

    fn content_length(&self) -> Option<String> {
        self.headers.get("content-length").ok().flatten()
    }
}

/// Writes the line about a request.
pub(super) fn log(entry: &Entry<'_>) {
    host::log_line(&entry.to_json());
}

/// Makes the platform's response. Where it will not make one, its error goes back in its place, and the
/// platform answers 500.
pub(super) fn respond(answer: &Answer<'_>) -> JsValue {
    let made = js_sys::JSON::parse(&answer.init_json()).and_then(|init| {
        Response::new_with_opt_str_and_init(answer.body.as_deref(), init.unchecked_ref::<ResponseInit>())
    });
    made.map_or_else(|error| error, JsValue::from)
}
