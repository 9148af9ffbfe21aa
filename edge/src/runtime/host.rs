//! The platform's functions that `web_sys` does not bind, or binds for other hosts.

use js_sys::{Array, JsString, Promise, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Headers, Request, RequestInit, Response};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &JsValue, milliseconds: f64) -> JsValue;

    /// Takes back a timer.
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

    /// What `entry.js` hands to the module: its own exported functions, and the environment.
    pub(super) type Handed;

    #[wasm_bindgen(thread_local_v2, js_name = portcullis)]
    pub(super) static HANDED: Handed;

    #[wasm_bindgen(method, getter)]
    pub(super) fn environment(this: &Handed) -> JsValue;

    #[wasm_bindgen(method, getter, js_name = answeredByOrigin)]
    pub(super) fn answered_by_origin(this: &Handed) -> Continuation;

    #[wasm_bindgen(method, getter, js_name = answeredByApplication)]
    pub(super) fn answered_by_application(this: &Handed) -> Continuation;

    #[wasm_bindgen(method, getter)]
    pub(super) fn failed(this: &Handed) -> Continuation;

    #[wasm_bindgen(method, getter, js_name = namedBy)]
    pub(super) fn named_by(this: &Handed) -> JsValue;

    /// A function that is called when a request has been answered, or could not be.
    pub(super) type Continuation;

    /// The values of all `Set-Cookie` headers.
    #[wasm_bindgen(method, js_name = getSetCookie)]
    pub(super) fn set_cookies(this: &HeaderTexts) -> Vec<String>;

    /// Headers, named and set by texts that are already on the JavaScript side.
    #[wasm_bindgen(extends = js_sys::Object)]
    pub(super) type HeaderTexts;

    #[wasm_bindgen(method, catch)]
    pub(super) fn get(this: &HeaderTexts, name: &JsString) -> Result<Option<String>, JsValue>;

}

#[wasm_bindgen(module = "/src/runtime/platform.js")]
extern "C" {
    /// Sends a request of the edge's own; a GET where `init` does not say otherwise.
    pub(super) fn ask(url: &str, init: &RequestInit) -> Promise;

    /// The parts of a text between its line breaks.
    pub(super) fn lines(text: &str) -> Array;

    /// The names of all headers, in lower case, parted by commas: one text instead of a call for each.
    #[wasm_bindgen(js_name = headerNames)]
    pub(super) fn header_names(headers: &Headers) -> String;

    /// What the responses of a route lose and get.
    pub(super) fn additions(
        removed: &str,
        added: &str,
        over_https: &str,
        not_theirs: &str,
        exposed: Option<&str>,
        credentials: bool,
        named_by: &JsValue,
    ) -> JsValue;

    /// What the end of a request needs, on the JavaScript side. It has one getter for each argument that Rust asks for.
    pub(crate) type Kept;

    pub(super) fn keep(
        request_id: &str,
        trace: f64,
        began: f64,
        cookies: &JsValue,
        origin: Option<&str>,
        is_secure: bool,
        is_personal: bool,
        additions: &JsValue,
        shadow: &JsValue,
    ) -> Kept;

    #[wasm_bindgen(method, getter, js_name = requestId)]
    pub(super) fn request_id(this: &Kept) -> String;

    /// What was done for it, as [`crate::trace::Trace::to_number`] has it.
    #[wasm_bindgen(method, getter)]
    pub(super) fn trace(this: &Kept) -> f64;

    /// When it came, in milliseconds since the epoch.
    #[wasm_bindgen(method, getter)]
    pub(super) fn began(this: &Kept) -> f64;

    /// The `Set-Cookie` headers that the edge adds to the response, whoever makes it; `undefined` for none.
    #[wasm_bindgen(method, getter)]
    pub(super) fn cookies(this: &Kept) -> JsValue;

    /// The origin of the page that asks, where it may read the answer.
    #[wasm_bindgen(method, getter)]
    pub(super) fn origin(this: &Kept) -> Option<String>;

    /// What its route in shadow would have refused it for.
    #[wasm_bindgen(method, getter)]
    pub(super) fn shadow(this: &Kept) -> Option<String>;

    #[wasm_bindgen(method, getter, js_name = isSecure)]
    pub(super) fn is_secure(this: &Kept) -> bool;

    /// Sends a request on.
    #[wasm_bindgen(catch)]
    pub(super) fn send(
        request: &Request,
        headers: &Headers,
        url: &str,
        removed: &str,
        identity: &Array,
        own: &str,
        milliseconds: f64,
        answered: &Continuation,
        failed: &Continuation,
        kept: &Kept,
    ) -> Result<JsValue, JsValue>;

    /// A response of the edge's own. `headers` are names and values in turn, parted by line breaks.
    #[wasm_bindgen(catch)]
    pub(super) fn answer(status: u16, headers: &str, body: Option<&str>) -> Result<Response, JsValue>;

    /// The upstream's response as the client gets it, but for cookies.
    #[wasm_bindgen(catch)]
    pub(super) fn reply(response: &Response, kept: &Kept) -> Result<Response, JsValue>;
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

/// A promise that is kept after `milliseconds`.
pub(super) fn pause(milliseconds: f64) -> Promise {
    let over = with_resolvers();
    set_timeout(&over.resolve(), milliseconds);
    over.promise()
}
