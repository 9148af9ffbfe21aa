//! What `entry.js` calls, and what the platform calls through it.
//!
//! wasm-bindgen wraps each exported function so that it makes a new instance of the module where the last one has
//! panicked, and calls that. So these are functions and no classes or closures, which would point into the old one; and
//! what they need is handed to them, since nothing else may be in memory.

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::Request;
// It brings the recovery from a panic.
use worker as _;

use crate::answer_rules;
use crate::runtime::{after_panic, ending, exact, handle, task};

/// The Worker's fetch handler: a response, or a promise of one.
///
/// It is exported directly rather than through `worker::event`, because a decision that needs no waiting is
/// then answered without a promise.
#[wasm_bindgen]
#[must_use]
pub fn fetch(request: Request, environment: &JsValue, context: JsValue) -> JsValue {
    handle(request, environment, context)
}

/// Answers a request in whose handling [`fetch`] has panicked.
#[wasm_bindgen]
#[must_use]
pub fn panicked(request: &Request) -> JsValue {
    after_panic(request)
}

/// Ends a forwarded request with the origin's response; `undefined` in its place when that did not come in time. `kept` is
/// what `keep` in `platform.js` made.
#[wasm_bindgen(js_name = answeredByOrigin)]
#[must_use]
pub fn answered_by_origin(kept: JsValue, response: &JsValue) -> JsValue {
    ending::answered_by_origin(&kept.unchecked_into(), response)
}

/// The same for the response of an application.
#[wasm_bindgen(js_name = answeredByApplication)]
#[must_use]
pub fn answered_by_application(kept: JsValue, response: &JsValue) -> JsValue {
    ending::answered_by_application(&kept.unchecked_into(), response)
}

/// Ends a forwarded request whose upstream did not answer.
#[wasm_bindgen]
#[must_use]
pub fn failed(kept: JsValue) -> JsValue {
    ending::failed(&kept.unchecked_into())
}

/// Which headers a `Connection` header names, parted by commas.
#[wasm_bindgen(js_name = namedBy)]
#[must_use]
pub fn named_by(connection: &str) -> String {
    answer_rules::named_by(connection).collect::<Vec<_>>().join(",")
}

/// Asks the Durable Object whose `storage` this is for a place among `limit` in `window_seconds`: the answer, or a promise
/// of it.
#[wasm_bindgen(js_name = takePlace)]
#[must_use]
pub fn take_place(storage: JsValue, limit: u32, window_seconds: u32) -> JsValue {
    task::run(exact::take_place(storage.unchecked_into(), limit, window_seconds))
}

/// Empties the `storage` of a Durable Object whose quota is whole again: done, or a promise of it.
#[wasm_bindgen(js_name = forgetPlaces)]
#[must_use]
pub fn forget_places(storage: JsValue) -> JsValue {
    task::run(exact::forget(storage.unchecked_into()))
}
