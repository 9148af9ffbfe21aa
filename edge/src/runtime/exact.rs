//! The Durable Object that keeps one exact limit of somebody, whose name it does not know.
//!
//! Invariants:
//! - All of its state is one moment, in its storage: an object that is moved or started anew goes on where it was.
//! - From reading that moment to writing the next there is nothing to wait for but the storage itself, and while that is
//!   waited for the platform delivers no other request: two requests never take the same place.
//! - What is whole again is forgotten: an alarm empties the storage, and the object is gone.
//!
//! A write is not waited for before the answer: should the machine die in that moment, a place is free that was taken.

use std::num::NonZeroU32;

use js_sys::{Array, Object, Promise, Reflect};
use portcullis_shared::gcra::{Quota, Verdict, take};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;

use super::host;

/// Under which name the moment is kept.
const WHOLE_AT: &str = "whole_at";
const MICROS_IN_MILLISECOND: f64 = 1000.0;

#[wasm_bindgen]
extern "C" {
    /// What an object keeps.
    pub(crate) type Storage;

    #[wasm_bindgen(method, catch)]
    fn get(this: &Storage, key: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn put(this: &Storage, key: &str, value: f64, options: &Object) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    fn set_alarm(this: &Storage, milliseconds: f64, options: &Object) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = deleteAll)]
    fn delete_all(this: &Storage) -> Result<Promise, JsValue>;
}

/// Asks for a place. The answer is what [`read`] reads.
pub(crate) async fn take_place(storage: Storage, limit: u32, window_seconds: u32) -> JsValue {
    settled(try_take(&storage, limit, window_seconds).await)
}

/// Forgets everything if the quota is whole, and looks again later if it is not.
pub(crate) async fn forget(storage: Storage) -> JsValue {
    settled(try_forget(&storage).await)
}

/// Reads an answer; `None` where it is none.
pub(super) fn read(answer: &Array) -> Option<Verdict> {
    let number = |at| answer.get(at).as_f64().filter(|number| *number >= 0.0);
    let (is_taken, wait, remaining) = (answer.get(0).as_bool()?, number(1)?, number(2)?);
    Some(if is_taken {
        Verdict::Taken {
            whole_at: 0,
            remaining: whole(remaining).try_into().ok()?,
            whole_in: whole(wait),
        }
    } else {
        Verdict::Exceeded { free_in: whole(wait) }
    })
}

async fn try_take(storage: &Storage, limit: u32, window_seconds: u32) -> Result<JsValue, JsValue> {
    let quota = NonZeroU32::new(limit)
        .zip(NonZeroU32::new(window_seconds))
        .map(|(limit, window_seconds)| Quota {
            limit,
            window_seconds,
        })
        .ok_or("a quota has no zero in it")?;
    let known = kept(storage).await?;
    let now = now();
    let verdict = take(quota, known, now);
    let (is_taken, wait, remaining) = match verdict {
        Verdict::Taken {
            whole_at,
            remaining,
            whole_in,
        } => {
            let options = unconfirmed()?;
            let _written = storage.put(WHOLE_AT, number(whole_at), &options)?;
            if known.is_none_or(|known| known <= now) {
                let _set = storage.set_alarm(milliseconds(whole_at), &options)?;
            }
            (true, whole_in, remaining)
        }
        Verdict::Exceeded { free_in } => (false, free_in, 0),
    };
    Ok(Array::of3(&is_taken.into(), &number(wait).into(), &remaining.into()).into())
}

async fn try_forget(storage: &Storage) -> Result<JsValue, JsValue> {
    match kept(storage).await? {
        Some(whole_at) if whole_at > now() => {
            JsFuture::from(storage.set_alarm(milliseconds(whole_at), &Object::new())?).await
        }
        Some(_) | None => JsFuture::from(storage.delete_all()?).await,
    }
}

async fn kept(storage: &Storage) -> Result<Option<i64>, JsValue> {
    let kept = JsFuture::from(storage.get(WHOLE_AT)?).await?;
    Ok(kept.as_f64().map(whole))
}

/// Microseconds since the epoch.
fn now() -> i64 {
    whole(host::now() * MICROS_IN_MILLISECOND)
}

/// The first millisecond at or after a moment in microseconds.
fn milliseconds(micros: i64) -> f64 {
    (number(micros) / MICROS_IN_MILLISECOND).ceil()
}

fn unconfirmed() -> Result<Object, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"allowUnconfirmed".into(), &true.into())?;
    Ok(options)
}

/// What has failed becomes a promise that is refused, as whoever waits expects it.
fn settled(outcome: Result<JsValue, JsValue>) -> JsValue {
    outcome.unwrap_or_else(|error| Promise::reject(&error).into())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "microseconds since the epoch fit, and a cast saturates"
)]
fn whole(number: f64) -> i64 {
    number as i64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds since the epoch stay below 2^53 for two centuries"
)]
fn number(whole: i64) -> f64 {
    whole as f64
}
