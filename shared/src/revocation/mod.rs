//! The revocation feed: what the origin tells the edge about access tokens that must no longer pass, although
//! their signature and their times are good.
//!
//! Invariants:
//! - An edge that has taken in every answer since a snapshot knows every live entry: `seq` grows by one with each
//!   entry, entries become visible in its order, and an answer says from which `seq` on it tells ([`Feed::since`]).
//! - Within one `epoch` a greater `seq` is the newer state. The origin raises `epoch` when its database was set
//!   back to an earlier state, so that nobody takes the older numbers for the newer ones.
//! - An entry is told for as long as an access token it concerns could live ([`Feed::lifetime`]), and may be
//!   forgotten after that.
//! - Every answer is signed, with the moment for which it is true ([`signature`]): age counts from there, not
//!   from when it arrived.

pub mod signature;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The path of the feed at the origin; the cursor is its query parameter `cursor`.
pub const FEED_PATH: &str = "/edge/revocations";
/// The longest body that is read, in bytes: more than 400,000 entries.
pub const MAX_FEED_BYTES: usize = 16 * 1024 * 1024;

/// One answer of the feed (`application/json`): a snapshot of all live entries, or those after a cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// The moment for which it is true by the origin's clock, in seconds since the epoch; the signature's `created`.
    pub as_of: i64,
    /// Which life of the database the numbers belong to.
    pub epoch: u64,
    /// The number of the newest entry there is.
    pub seq: u64,
    /// It tells the entries with greater numbers than this. `None`: it tells all, and replaces what was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// For how long after `as_of` its entries matter, in seconds.
    pub lifetime: u32,
    /// A key set with a lower `version` than this may not be used any more.
    pub key_set_version: u64,
    /// Sessions (`sid`) that have ended.
    pub sessions: Vec<Uuid>,
    /// Users (`sub`) of whom tokens with an `iat` before this moment are stale, in seconds since the epoch.
    pub subjects: BTreeMap<Uuid, i64>,
}

impl Feed {
    /// Reads a body; `None` for anything that is not a feed. Members that are not known are ignored.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// The state after this answer, to ask from next time.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor {
            epoch: self.epoch,
            seq: self.seq,
        }
    }

    /// The entity tag of the state: it changes with the entries and with the key set, not with `as_of`.
    #[must_use]
    pub fn etag(&self) -> String {
        etag(self.cursor(), self.key_set_version)
    }
}

/// The entity tag of a state of the feed (RFC 9110 §8.8.3).
#[must_use]
pub fn etag(cursor: Cursor, key_set_version: u64) -> String {
    format!("\"{cursor}.{key_set_version}\"")
}

/// A state of the feed: what an edge has taken in already. Written `<epoch>.<seq>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// See [`Feed::epoch`].
    pub epoch: u64,
    /// See [`Feed::seq`].
    pub seq: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.seq)
    }
}

/// The text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is two numbers with a full stop between them")]
pub struct InvalidCursor;

impl FromStr for Cursor {
    type Err = InvalidCursor;

    /// Reads what [`Display`](fmt::Display) writes, in no other spelling.
    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (epoch, seq) = text.split_once('.').ok_or(InvalidCursor)?;
        Ok(Self {
            epoch: number(epoch)?,
            seq: number(seq)?,
        })
    }
}

/// Digits without a sign or leading zeros. The database keeps such numbers in 63 bits.
fn number(text: &str) -> Result<u64, InvalidCursor> {
    let is_canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let number = text.parse::<u64>().map_err(|_| InvalidCursor)?;
    if is_canonical && i64::try_from(number).is_ok() {
        Ok(number)
    } else {
        Err(InvalidCursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn feed() -> Feed {
        Feed {
            as_of: 1_700_000_000,
            epoch: 1,
            seq: 7,
            since: None,
            lifetime: 960,
            key_set_version: 3,
            sessions: vec![Uuid::from_u128(1)],
            subjects: BTreeMap::from([(Uuid::from_u128(2), 1_700_000_001)]),
        }
    }

    #[test]
    fn a_feed_reads_back_what_it_wrote() {
        let delta = Feed {
            since: Some(6),
            ..feed()
        };
        for feed in [feed(), delta] {
            let json = serde_json::to_vec(&feed).unwrap();
            assert_eq!(Feed::parse(&json), Some(feed));
        }
    }

    #[test]
    fn a_feed_has_the_agreed_members() {
        let json = serde_json::to_value(feed()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"as_of": 1_700_000_000, "epoch": 1, "seq": 7, "lifetime": 960, "key_set_version": 3,
                "sessions": ["00000000-0000-0000-0000-000000000001"],
                "subjects": {"00000000-0000-0000-0000-000000000002": 1_700_000_001}})
        );
    }

    #[test]
    fn what_lacks_a_member_or_has_another_type_is_no_feed() {
        let whole = serde_json::to_value(feed()).unwrap();
        for name in [
            "as_of",
            "epoch",
            "seq",
            "lifetime",
            "key_set_version",
            "sessions",
            "subjects",
        ] {
            let mut lacking = whole.clone();
            lacking.as_object_mut().unwrap().remove(name);
            assert_eq!(Feed::parse(lacking.to_string().as_bytes()), None, "{name}");
            let mut odd = whole.clone();
            odd[name] = serde_json::json!("7");
            assert_eq!(Feed::parse(odd.to_string().as_bytes()), None, "{name}");
        }
        for text in ["", "null", "[]", "{}", "\u{0}"] {
            assert_eq!(Feed::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn the_entity_tag_follows_entries_and_keys_and_not_the_moment() {
        let tag = feed().etag();
        assert_eq!(tag, "\"1.7.3\"");
        assert_eq!(Feed { as_of: 1, ..feed() }.etag(), tag);
        assert_ne!(Feed { seq: 8, ..feed() }.etag(), tag);
        assert_ne!(
            Feed {
                key_set_version: 4,
                ..feed()
            }
            .etag(),
            tag
        );
    }

    #[test]
    fn a_cursor_has_one_spelling() {
        for text in [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "01.1",
            "1.01",
            "+1.1",
            "1.-1",
            " 1.1",
            "1.1.1",
            "1.9223372036854775808",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text:?}");
        }
        assert_eq!("0.0".parse(), Ok(Cursor { epoch: 0, seq: 0 }));
    }

    proptest! {
        #[test]
        fn every_cursor_reads_back(epoch in 0..=i64::MAX.unsigned_abs(), seq in 0..=i64::MAX.unsigned_abs()) {
            let cursor = Cursor { epoch, seq };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<Cursor>();
            let _ = Feed::parse(text.as_bytes());
        }
    }
}
