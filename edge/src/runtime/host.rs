//! The platform's functions that `web_sys` does not bind, or binds for other hosts.

use js_sys::{Array, JsString, Promise, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Headers, Request, RequestInit, Response};

#[wasm_bindgen]
extern "C" {
    /// Sends a request; the promise is that of the response's headers.
    #[wasm_bindgen(js_name = fetch)]
    fn send(request: &Request) -> Promise;

    /// Sends a request of the edge's own; a GET where `init` does not say otherwise.
    #[wasm_bindgen(js_name = fetch)]
    pub(super) fn ask(url: &str, init: &RequestInit) -> Promise;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &JsValue, milliseconds: f64) -> JsValue;

    /// Takes back a timer. One that is left to the end of its request costs a tenth of forwarding it.
    #[wasm_bindgen(js_name = clearTimeout)]
    pub(super) fn clear_timeout(timer: &JsValue);

    /// A promise and what resolves it.
    type Resolvers;

    #[wasm_bindgen(js_namespace = Promise, js_name = withResolvers)]
    fn with_resolvers() -> Resolvers;

    #[wasm_bindgen(method, getter)]
    fn promise(this: &Resolvers) -> Promise;

    #[wasm_bindgen(method, getter)]
    fn resolve(this: &Resolvers) -> JsValue;

    /// Writes a line for information.
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    pub(super) fn log_line(line: &str);

    /// Writes a line about a fault.
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(super) fn log_fault(line: &str);

    /// Milliseconds since the epoch.
    #[wasm_bindgen(js_namespace = Date)]
    pub(super) fn now() -> f64;

    /// What a request may ask of the platform beyond its response.
    #[derive(Clone)]
    pub(super) type ExecutionContext;

    /// Keeps the request alive until the promise is settled, although its response is on the way.
    #[wasm_bindgen(method, js_name = waitUntil)]
    pub(super) fn wait_until(this: &ExecutionContext, promise: &JsValue);

    /// The copies of responses that this location keeps.
    pub(super) type Cache;

    #[wasm_bindgen(method, catch, js_name = match)]
    pub(super) fn find(this: &Cache, url: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = put)]
    pub(super) fn keep(this: &Cache, url: &str, response: &Response) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues, catch)]
    pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), JsValue>;

    #[wasm_bindgen(js_namespace = Array, js_name = from)]
    fn array_from(iterator: &js_sys::Iterator) -> Array;

    /// A function that is called when a request has been answered, or could not be.
    #[wasm_bindgen(extends = js_sys::Object)]
    pub(super) type Continuation;

    /// The function with its first arguments in place: the request's id, its route's number, its arrival, its
    /// timer, the cookies that its response sets, the origin that may read it, and whether it came by https.
    #[wasm_bindgen(method, js_name = bind)]
    pub(super) fn with(
        this: &Continuation,
        context: &JsValue,
        request_id: &JsString,
        route: usize,
        began: f64,
        timer: &JsValue,
        cookies: &JsValue,
        origin: &JsValue,
        is_secure: bool,
    ) -> Continuation;

    /// The values of all `Set-Cookie` headers.
    #[wasm_bindgen(method, js_name = getSetCookie)]
    pub(super) fn set_cookies(this: &HeaderTexts) -> Vec<String>;

    #[wasm_bindgen(js_namespace = Promise)]
    fn race(promises: &Array) -> Outcome;

    /// A promise whose outcome is handed on.
    pub(super) type Outcome;

    /// Headers, named and set by texts that are already on the JavaScript side.
    #[wasm_bindgen(extends = js_sys::Object)]
    pub(super) type HeaderTexts;

    #[wasm_bindgen(method, catch)]
    pub(super) fn get(this: &HeaderTexts, name: &JsString) -> Result<Option<String>, JsValue>;

    #[wasm_bindgen(method)]
    pub(super) fn has(this: &HeaderTexts, name: &JsString) -> bool;

    #[wasm_bindgen(method, catch, js_name = delete)]
    pub(super) fn remove(this: &HeaderTexts, name: &JsString) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn append(this: &HeaderTexts, name: &JsString, value: &JsString) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(super) fn set(this: &HeaderTexts, name: &JsString, value: &JsString) -> Result<(), JsValue>;

    #[wasm_bindgen(method)]
    pub(super) fn then(this: &Outcome, resolved: &Continuation, rejected: &Continuation) -> JsValue;
}

/// The time in seconds since the epoch.
#[expect(
    clippy::cast_possible_truncation,
    reason = "seconds since the epoch fit, and a cast saturates"
)]
pub(super) fn seconds() -> i64 {
    (now() / 1000.0) as i64
}

/// The cache of this location, where the host has one.
pub(super) fn default_cache() -> Option<Cache> {
    let caches = Reflect::get(&js_sys::global(), &JsValue::from_str("caches")).ok()?;
    let cache = Reflect::get(&caches, &JsValue::from_str("default")).ok()?;
    cache.is_object().then(|| cache.unchecked_into())
}

/// Sends a request that has `milliseconds` until its response headers. The outcome is the response, or `undefined`
/// when the time is over; the timer is to be taken back in either case.
pub(super) fn send_within(request: &Request, milliseconds: f64) -> (Outcome, JsValue) {
    let over = with_resolvers();
    let timer = set_timeout(&over.resolve(), milliseconds);
    (race(&Array::of2(&send(request), &over.promise())), timer)
}

/// A promise that is kept after `milliseconds`.
pub(super) fn pause(milliseconds: f64) -> Promise {
    let over = with_resolvers();
    set_timeout(&over.resolve(), milliseconds);
    over.promise()
}

/// The names of all headers, in lower case, parted by commas: one text instead of a call for each.
pub(super) fn header_names(headers: &Headers) -> String {
    let names: JsString = array_from(&headers.keys()).join(",");
    names.into()
}
