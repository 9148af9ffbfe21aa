//! The edge of Portcullis: a Worker that decides on each request, before it costs anything, whether it may pass.
//!
//! The modules below are pure and run natively as well, in tests and in tools; the Worker around them is wiring.

pub mod answer;
pub mod answer_rules;
pub mod browser;
pub mod config;
pub mod cors;
pub mod counters;
pub mod credential;
pub mod decide;
pub mod deny_cache;
pub mod hygiene;
pub mod key_cache;
pub mod log;
pub mod path;
pub mod policy;
pub mod renewals;
pub mod request_id;
pub mod revocations;
pub mod server_timing;
pub mod tally;
pub mod token_cache;
pub mod trace;
pub mod venue_roles;

#[cfg(target_arch = "wasm32")]
mod runtime;

#[cfg(target_arch = "wasm32")]
use {wasm_bindgen::prelude::wasm_bindgen, worker as _};

/// The Worker's fetch handler: a response, or a promise of one.
///
/// It is exported directly rather than through `worker::event`, because a decision that needs no waiting is
/// then answered without a promise. `worker` brings the recovery from a panic.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen]
#[must_use]
pub fn fetch(
    request: web_sys::Request,
    environment: &wasm_bindgen::JsValue,
    context: wasm_bindgen::JsValue,
) -> wasm_bindgen::JsValue {
    runtime::handle(request, environment, context)
}

/// Asks the Durable Object whose `storage` this is for a place among `limit` in `window_seconds`: the answer, or a promise
/// of it.
///
/// This and [`forget_places`] are functions and no class: what a class keeps on this side is lost when a panic makes a new
/// instance, and its objects would point into the old one.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen(js_name = takePlace)]
#[must_use]
pub fn take_place(storage: wasm_bindgen::JsValue, limit: u32, window_seconds: u32) -> wasm_bindgen::JsValue {
    use wasm_bindgen::JsCast as _;
    runtime::task::run(runtime::exact::take_place(
        storage.unchecked_into(),
        limit,
        window_seconds,
    ))
}

/// Empties the `storage` of a Durable Object whose quota is whole again: done, or a promise of it.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen(js_name = forgetPlaces)]
#[must_use]
pub fn forget_places(storage: wasm_bindgen::JsValue) -> wasm_bindgen::JsValue {
    use wasm_bindgen::JsCast as _;
    runtime::task::run(runtime::exact::forget(storage.unchecked_into()))
}
