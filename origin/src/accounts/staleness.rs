//! Tokens that a change makes stale, and the moment that those made after it are issued for.
//!
//! Tokens name whole seconds, so that each change takes a second of its own: the next one, or the one after that which
//! the change before has taken. No token is issued for more than three seconds ahead, and a change takes the fourth at the most:
//! that is always after any token that was made before it, however many changes share it.

use crate::kernel::db::PgConnection;
use crate::kernel::time::{TimeDelta, Timestamp};
use crate::revocations::{self, Revocation};

use super::error::AccountsError;
use super::model::User;
use super::store;

/// How much further ahead than the next second tokens are issued for at most. Verifiers grant five seconds.
const ISSUED_FURTHER: TimeDelta = TimeDelta::seconds(2);

/// How much further ahead than the next second tokens may become good again.
const STALE_FURTHER: TimeDelta = TimeDelta::seconds(3);

/// Makes all access tokens stale that were issued for this account up to now; a refresh gives a good one, for the next second. Further
/// changes within the same second make that one stale too, and from the fourth on the refresh has to wait for the next second
/// ([`User::issuing_moment`]). It publishes, so that it comes last in a transaction (see [`revocations`]); the row of the account has
/// been locked before.
pub async fn outdate_tokens(
    connection: &mut PgConnection,
    user: &User,
    now: Timestamp,
) -> Result<(), AccountsError> {
    let not_before = revocations::not_before(now);
    let latest = not_before + STALE_FURTHER;
    let not_before = store::raise_tokens_not_before(connection, user, not_before, latest).await?;
    let stale = Revocation::Subject {
        tenant: user.tenant_id,
        user: user.id,
        not_before,
    };
    revocations::publish(connection, &[stale], now).await?;
    Ok(())
}

impl User {
    /// The moment for which a token that is made at `now` is issued. Where older tokens of the account have just become
    /// stale, it is the one from which tokens are good: a second ahead, by the clock of whoever made the change, or up to
    /// three after several changes at once. `None`: after even more of them, for what is left of the second; no token can be made.
    #[must_use]
    pub fn issuing_moment(&self, now: Timestamp) -> Option<Timestamp> {
        issuing_moment(self.tokens_not_before, now)
    }
}

fn issuing_moment(not_before: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let moment = not_before.map_or(now, |not_before| not_before.max(now));
    (moment <= revocations::not_before(now) + ISSUED_FURTHER).then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_issued_for_three_seconds_ahead_at_most() {
        let second = Timestamp::from_timestamp(1_700_000_000, 0).unwrap();
        let seconds = |count| TimeDelta::seconds(count);
        for within in [0, 1, 500, 999].map(TimeDelta::milliseconds) {
            let now = second + within;
            assert_eq!(issuing_moment(None, now), Some(now));
            assert_eq!(issuing_moment(Some(second - seconds(9)), now), Some(now));
            for ahead in 1..=3 {
                let not_before = second + seconds(ahead);
                assert_eq!(issuing_moment(Some(not_before), now), Some(not_before));
            }
            assert_eq!(issuing_moment(Some(second + seconds(4)), now), None);
        }
        let next = second + seconds(1);
        assert_eq!(
            issuing_moment(Some(second + seconds(4)), next),
            Some(second + seconds(4))
        );
    }
}
