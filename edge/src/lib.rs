//! The edge of Portcullis: a Worker that decides on each request, before it costs anything, whether it may pass.
//!
//! The modules below are pure and run natively as well, in tests and in tools; the Worker around them is wiring.

pub mod answer;
pub mod answer_rules;
pub mod browser;
pub mod config;
pub mod cors;
pub mod credential;
pub mod decide;
pub mod hygiene;
pub mod key_cache;
pub mod log;
pub mod path;
pub mod policy;
pub mod request_id;
pub mod revocations;
pub mod token_cache;
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
