//! Time: one type for a moment, one way to write it.

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

/// A moment in UTC. Values made by [`Clock`](super::clock::Clock) have microsecond precision, which is what
/// Postgres stores, so that a moment read back equals the one written.
pub type Timestamp = DateTime<Utc>;

/// A span between two moments.
pub use chrono::TimeDelta;

/// The moment as RFC 3339 in UTC with milliseconds: `2026-11-22T12:00:00.000Z`.
#[must_use]
pub fn rfc3339(moment: Timestamp) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Cuts a moment to the precision of Postgres.
#[must_use]
pub(crate) fn to_stored_precision(moment: Timestamp) -> Timestamp {
    moment.trunc_subsecs(6)
}

/// `#[serde(with = "kernel::time::as_rfc3339")]` for a field that is a [`Timestamp`].
pub mod as_rfc3339 {
    use serde::Serializer;

    use super::{Timestamp, rfc3339};

    /// Writes the moment as [`rfc3339`] does.
    pub fn serialize<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(*moment))
    }
}

/// `#[serde(serialize_with = …)]` for a field that is an `Option<Timestamp>`; `None` is `null`.
pub mod as_optional_rfc3339 {
    use serde::Serializer;

    use super::{Timestamp, rfc3339};

    /// Writes the moment as [`rfc3339`] does, or `null`.
    pub fn serialize<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match moment {
            Some(moment) => serializer.serialize_some(&rfc3339(*moment)),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_utc_with_milliseconds() {
        let moment = Timestamp::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        assert_eq!(rfc3339(moment), "2023-11-14T22:13:20.123Z");
    }

    #[test]
    fn stored_precision_is_microseconds() {
        let moment = Timestamp::from_timestamp(1_700_000_000, 123_456_789).unwrap();
        assert_eq!(to_stored_precision(moment).timestamp_subsec_nanos(), 123_456_000);
    }
}
