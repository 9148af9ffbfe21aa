//! Replays vectors through the signature backends: the same cases, the same code around them, natively and
//! in a Worker, so that a difference in verdict is a difference between backends.
//!
//! Invariants: nothing here is part of the product; the Worker answers with verdicts and keeps nothing.

pub mod case;
#[cfg(not(target_arch = "wasm32"))]
pub mod corpus;
pub mod judge;
#[cfg(target_arch = "wasm32")]
mod serve;
