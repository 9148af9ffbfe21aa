//! Paths that panic, for a Worker that only a test builds: what a panic does to the requests beside it must be seen.

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::Request;

use super::{host, task};

/// Panics at once when the path ends in `/panic`, after something was waited for when it ends in `/panic-later`. A request
/// whose path ends in `/wait` waits on this side for two seconds, and is answered by nobody.
pub(super) fn answer(request: &Request) -> Option<JsValue> {
    let url = request.url();
    assert!(!url.ends_with("/panic"), "a test asked for it");
    let panics = url.ends_with("/panic-later");
    if !panics && !url.ends_with("/wait") {
        return None;
    }
    Some(task::run(async move {
        let milliseconds = if panics { 10.0 } else { 2000.0 };
        let _kept = JsFuture::from(host::pause(milliseconds)).await;
        assert!(!panics, "a test asked for it");
        JsValue::UNDEFINED
    }))
}
