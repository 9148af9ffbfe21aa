//! Identifiers: one type for each kind of row, so that a session id cannot stand where a user id belongs.
//!
//! All are `UUIDv7` (RFC 9562 §5.7): they sort by creation time, which keeps the primary-key indexes dense.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::random::Entropy;
use super::time::Timestamp;

/// What all identifiers have in common.
pub trait Id: Sized + Copy {
    /// Wraps a UUID that is already known to identify this kind of row.
    fn from_uuid(uuid: Uuid) -> Self;

    /// The bare UUID, for the wire and for SQL.
    fn uuid(self) -> Uuid;

    /// A new identifier: the milliseconds of `now` and 74 random bits.
    fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
        let mut random = [0; 10];
        entropy.fill(&mut random);
        // Clocks before 1970 do not occur; if one did, the identifier would merely sort first.
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        Self::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(Uuid);

        impl Id for $name {
            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// An account.
    UserId;
    /// One sign-in on one device.
    SessionId;
    /// A device that an account has signed in with.
    DeviceId;
    /// The refresh chain of one session; part of each refresh token.
    FamilyId;
    /// A tenant; every row that belongs to one carries it.
    TenantId;
    /// A row of `secret_keys`: a MAC key, sealed under the master key.
    SecretKeyId;
    /// The `jti` of an access token.
    TokenId;
    /// A row of the audit log.
    AuditEventId;
    /// A venue of the applications: they give it its id, and it has no row here.
    VenueId;
    /// A role that somebody was granted at a venue.
    GrantId;
    /// What the link of a mail is for.
    TicketId;
    /// A sign-in that waits for something more than a password.
    ChallengeId;
    /// A key that lives in a device.
    DeviceKeyId;
    /// An authenticator app of an account.
    FactorId;
    /// Somebody's wish for a new password, before it is known whose.
    ResetRequestId;
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn an_identifier_is_a_version_7_uuid_of_its_moment() {
        let now = Timestamp::from_timestamp_millis(1_700_000_000_123).unwrap();
        let id = UserId::generate(now, &Fixed(0xff));
        assert_eq!(id.uuid().get_version_num(), 7);
        assert_eq!(id.to_string(), "018bcfe5-687b-7fff-bfff-ffffffffffff");
    }

    #[test]
    fn identifiers_sort_by_their_moment() {
        let early = Timestamp::from_timestamp_millis(1_700_000_000_000).unwrap();
        let late = Timestamp::from_timestamp_millis(1_700_000_000_001).unwrap();
        assert!(SessionId::generate(early, &Fixed(0xff)) < SessionId::generate(late, &Fixed(0)));
    }

    #[test]
    fn an_identifier_survives_text_and_json() {
        let id = TenantId::from_uuid(Uuid::from_u128(1));
        assert_eq!(id.to_string().parse::<TenantId>().unwrap(), id);
        assert_eq!(
            serde_json::to_string(&id).unwrap(),
            "\"00000000-0000-0000-0000-000000000001\""
        );
    }
}
