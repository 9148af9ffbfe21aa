//! Keys that live in a device, behind a face or a finger, and sign in its holder.
//!
//! Invariants:
//! - A key signs a challenge that was made for it, or for the session that steps up by it, under a prefix that nothing else is signed under. A
//!   challenge is good for five minutes, and for one signature.
//! - Challenges that wait are kept nowhere, so that asking for them costs nothing: a MAC says what each is for. Those that were signed are kept
//!   until they expire.
//! - Asking for the challenge of a key that is not there gives one all the same, and its signature is refused with the same work.
//! - A key belongs to the device of the session that registered it, and goes with it.
//! - Whoever adds, uses or removes keys of an account holds the lock on its row.
//! - This room writes `device_keys` and `spent_challenges`; nobody else does.

mod challenge;
mod error;
mod key;
mod model;
mod own;
mod routes;
mod store;
mod stored;

pub use challenge::{Challenges, Genuine, Purpose};
pub use error::DeviceKeyError;
pub use key::{PublicKey, UnfitKey};
pub use model::{Signed, SignedRequest};
pub use routes::router;
pub use store::{DeviceKey, find, purge_spent, spend, use_key};
pub use stored::{StoredDeviceKey, stored};
