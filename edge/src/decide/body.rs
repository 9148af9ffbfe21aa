//! How long a body may be.
//!
//! The length is judged by what is declared before anything is forwarded: HTTP sees to it that a declared length is kept,
//! and an upstream never begins to act on a request that turns out to be too long.

use portcullis_shared::problem::ProblemCode;

use super::RequestView;
use super::refusal::Refusal;
use crate::policy::Route;

/// Whether the route takes a body as long as this. A request without either header has no body: to one that came in an
/// unknown length (chunked, or in a stream of HTTP/2), the platform adds `Transfer-Encoding`.
pub(super) fn pass(route: &Route, view: &impl RequestView) -> Result<(), Refusal> {
    let Some(most) = route.max_body_bytes else {
        return Ok(());
    };
    if view.header("transfer-encoding").is_some() {
        let reason = "the length of the body is not declared, and the route has a limit";
        return Err(Refusal::new(ProblemCode::LengthRequired, reason));
    }
    let is_over = |length: &str| {
        // What is no number, or has more digits than fit, is over any limit.
        let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
        !is_number || length.parse::<u64>().map_or(true, |length| length > most)
    };
    if view
        .header("content-length")
        .is_some_and(|length| is_over(&length))
    {
        let reason = "the declared length is over the route's limit";
        return Err(Refusal::new(ProblemCode::PayloadTooLarge, reason));
    }
    Ok(())
}
