//! Sign-ins, and the chains of refresh tokens that keep them going.
//!
//! Invariants:
//! - A session owns one chain. The row holds the chain's position; no token is stored, and none can be made
//!   from the database without the master key.
//! - Of one generation there is one successor, however many present it and however they race: the row lock
//!   makes them take turns, and the successor is derived.
//! - Refreshing and revoking take the same lock, so that no token is given out for a session that has ended.
//! - A token that was replaced for good ends its session when it is seen again. The caller commits that
//!   before it answers.
//! - A session ends early through [`revoke`], [`revoke_all_but`] or [`revoke_among`] and in no other way: the row, the audit of it and
//!   what the edge is told are one transaction, in this order.
//! - An identifier is never used again, nor a session revived: what has ended stays so.
//! - Refusing a token is the same work whatever is wrong with it.

mod error;
mod explain;
mod inspect;
mod judge;
mod keys;
mod model;
mod proof;
mod refresh_token;
mod store;
mod stored;

use std::sync::Arc;

use secrecy::SecretString;

pub use error::SessionsError;
pub use inspect::Inspection;
pub use judge::{ChainState, Judgement, judge};
pub use keys::{count_sealed_elsewhere, rewrap};
pub use model::{
    Accepted, Acr, Authentication, ChainOwner, Lifetimes, ListedSession, LiveSession, NewSession, Opened,
    Presented, RevocationReason, Session, Standing,
};
pub use proof::strengthen;
pub use refresh_token::{Link, PresentedToken, RefreshKey, looks_like_refresh_token};
pub use stored::{StoredSession, stored};

use crate::accounts::{User, UserStatus};
use crate::audit::{self, Event};
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{DeviceId, FamilyId, Id as _, SessionId, TenantId, UserId};
use crate::kernel::random::Entropy;
use crate::kernel::secrets::MasterKey;
use crate::kernel::time::{TimeDelta, Timestamp};
use crate::revocations::{self, Revocation};

use keys::RefreshKeys;
use model::LockedChain;
use store::NewChain;

/// Opens sessions and takes refresh tokens in. Cloning shares the keys.
#[derive(Clone)]
pub struct Sessions {
    keys: Arc<RefreshKeys>,
    lifetimes: Lifetimes,
}

impl Sessions {
    /// Reads no key yet: Postgres need not be there.
    #[must_use]
    pub fn new(master: MasterKey, lifetimes: Lifetimes) -> Self {
        Self {
            keys: Arc::new(RefreshKeys::new(master)),
            lifetimes,
        }
    }

    /// Opens a session and makes the first token of its chain. Belongs in the caller's transaction.
    pub async fn open(
        &self,
        connection: &mut PgConnection,
        new: NewSession,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Opened, SessionsError> {
        let (mac_key_id, key) = self.keys.active(connection, now, entropy).await?;
        let absolute_expires_at = now + self.lifetimes.absolute;
        let chain = NewChain {
            session_id: SessionId::generate(now, entropy),
            family_id: FamilyId::generate(now, entropy),
            mac_key_id,
            idle_expires_at: (now + self.lifetimes.idle).min(absolute_expires_at),
            absolute_expires_at,
        };
        store::insert(connection, &new, &chain, now).await?;
        let link = Link {
            tenant: new.tenant_id,
            session: chain.session_id,
            family: chain.family_id,
            generation: 0,
        };
        Ok(Opened {
            refresh_token: key.derive(&link),
            session: Session {
                id: chain.session_id,
                tenant_id: new.tenant_id,
                authentication: new.authentication,
                expires_at: chain.idle_expires_at,
            },
        })
    }

    /// Takes a refresh token in, and does to its chain what the token is worth. Belongs in a transaction that
    /// the caller commits whatever the outcome is, and in which it ends a session whose token was reused; the row
    /// stays locked until then. Who gives the successor out to nobody does not commit, and nothing has happened. `tenant_slug` is the
    /// tenant that the client named, if it named one: a token of another tenant is refused.
    pub async fn present(
        &self,
        connection: &mut PgConnection,
        token: &SecretString,
        tenant_slug: Option<&str>,
        now: Timestamp,
    ) -> Result<Presented, SessionsError> {
        let presented = PresentedToken::parse(token).unwrap_or_else(PresentedToken::unreadable);
        let Some((chain, key)) = self.recognise(connection, &presented).await? else {
            return Ok(Presented::Refused);
        };
        if tenant_slug.is_some_and(|slug| slug != chain.live.tenant_slug) {
            return Ok(Presented::Refused);
        }
        let verdict = judge(
            presented.generation(),
            &chain.state,
            now,
            self.lifetimes.replay_window,
        );
        let (generation, expires_at) = match verdict {
            Judgement::Expired | Judgement::Revoked | Judgement::Unissued => return Ok(Presented::Refused),
            Judgement::Reuse => return Ok(Presented::Reused(owner_of(&chain))),
            // An account that may not sign in may not stay signed in either.
            Judgement::Rotate | Judgement::Replay if chain.live.user.status != UserStatus::Active => {
                return Ok(Presented::Refused);
            }
            Judgement::Rotate => {
                let expires_at = (now + self.lifetimes.idle).min(chain.state.absolute_expires_at);
                store::advance_chain(connection, chain.live.session.id, now, expires_at).await?;
                (chain.state.generation.saturating_add(1), expires_at)
            }
            Judgement::Replay => (chain.state.generation, chain.state.idle_expires_at),
        };
        let refresh_token = key.derive(&link_of(&chain, &presented, generation));
        let LiveSession { session, user, .. } = chain.live;
        Ok(Presented::Accepted(Box::new(Accepted {
            session: Session {
                expires_at,
                ..session
            },
            user,
            refresh_token,
            replayed: verdict == Judgement::Replay,
        })))
    }

    /// The session that a refresh token belongs to, whatever the token is worth by now. Takes the lock on the
    /// session row.
    pub async fn owner_of_token(
        &self,
        connection: &mut PgConnection,
        token: &SecretString,
    ) -> Result<Option<ChainOwner>, SessionsError> {
        let presented = PresentedToken::parse(token).unwrap_or_else(PresentedToken::unreadable);
        let found = self.recognise(connection, &presented).await?;
        Ok(found.map(|(chain, _)| owner_of(&chain)))
    }

    /// The chain of a token that the server has made, locked, with its key; `None` for any other text. Says
    /// nothing about whether the token is still good.
    async fn recognise(
        &self,
        connection: &mut PgConnection,
        presented: &PresentedToken,
    ) -> Result<Option<(LockedChain, Arc<RefreshKey>)>, SessionsError> {
        let Some(chain) = store::lock_chain(connection, presented.family()).await? else {
            self.keys.refuse_unknown(presented);
            return Ok(None);
        };
        let key = self.keys.by_id(connection, chain.mac_key_id).await?;
        let link = link_of(&chain, presented, presented.generation());
        Ok(key.recognises(presented, &link).then_some((chain, key)))
    }
}

fn link_of(chain: &LockedChain, presented: &PresentedToken, generation: u64) -> Link {
    let session = &chain.live.session;
    Link {
        tenant: session.tenant_id,
        session: session.id,
        family: presented.family(),
        generation,
    }
}

fn owner_of(chain: &LockedChain) -> ChainOwner {
    ChainOwner {
        session_id: chain.live.session.id,
        tenant_id: chain.live.session.tenant_id,
        user_id: chain.live.user.id,
    }
}

/// The session and its account, if the one is live and the other active at `now`. One query.
pub async fn find_live(
    connection: &mut PgConnection,
    id: SessionId,
    tenant: TenantId,
    user: UserId,
    now: Timestamp,
) -> Result<Option<LiveSession>, SessionsError> {
    Ok(store::find_live(connection, id, tenant, user, now).await?)
}

/// What speaks against a session that [`find_live`] does not find; `None` where there is no such session. For an
/// explanation, and never for a decision.
pub async fn find_standing(
    connection: &mut PgConnection,
    id: SessionId,
    tenant: TenantId,
    user: UserId,
    now: Timestamp,
) -> Result<Option<Standing>, SessionsError> {
    Ok(store::find_standing(connection, id, tenant, user, now).await?)
}

/// How many sessions a list holds: far more than a person has devices, and few enough to be one answer.
const LIST_LIMIT: i64 = 500;

/// The sessions of this account that are live at `now`, the one that was used last first; 500 at most.
pub async fn list_live(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<ListedSession>, SessionsError> {
    Ok(store::list_live(connection, tenant, user, now, LIST_LIMIT).await?)
}

/// The device that a session was opened on; `None` where that is not known, or was forgotten.
pub async fn device_of(
    connection: &mut PgConnection,
    session: &Session,
) -> Result<Option<DeviceId>, SessionsError> {
    Ok(store::find_device(connection, session.id).await?)
}

/// The sessions of an account on one of its devices, ended or not. Asked before the device is forgotten.
pub async fn on_device(
    connection: &mut PgConnection,
    user: &User,
    device: DeviceId,
) -> Result<Vec<SessionId>, SessionsError> {
    Ok(store::find_on_device(connection, user, device).await?)
}

/// How often activity is noted.
const ACTIVITY_INTERVAL: TimeDelta = TimeDelta::minutes(1);

/// Notes that a live session is in use at `now`, unless that was noted within the last minute. Does not wait for the
/// row: whoever holds it is refreshing the session, which notes it too, or ending it.
pub async fn note_activity(
    connection: &mut PgConnection,
    live: &LiveSession,
    now: Timestamp,
) -> Result<(), SessionsError> {
    if now - live.last_active_at >= ACTIVITY_INTERVAL {
        store::touch(connection, live.session.id, now, now - ACTIVITY_INTERVAL).await?;
    }
    Ok(())
}

/// Ends a session, writes `event` about it, and tells the edge. False, and nothing done, if it has ended before or
/// there is none. It publishes, so that it comes last in a transaction (see [`revocations`]).
pub async fn revoke(
    connection: &mut PgConnection,
    session: ChainOwner,
    reason: RevocationReason,
    event: Event,
    now: Timestamp,
) -> Result<bool, SessionsError> {
    if !store::revoke(connection, session, reason, now).await? {
        return Ok(false);
    }
    audit::record(connection, about(event, session)).await?;
    let ended = Revocation::Session {
        tenant: session.tenant_id,
        session: session.session_id,
    };
    revocations::publish(connection, &[ended], now).await?;
    Ok(true)
}

/// Ends all live sessions of an account, but for `kept`, writes one `event` about it, and tells the edge. Returns how
/// many there were; if there were none, nothing is written. It publishes, so that it comes last in a transaction.
pub async fn revoke_all_but(
    connection: &mut PgConnection,
    user: &User,
    kept: Option<SessionId>,
    reason: RevocationReason,
    event: Event,
    now: Timestamp,
) -> Result<usize, SessionsError> {
    let ended = store::revoke_all_but(connection, user, kept, None, reason, now).await?;
    tell(connection, user, &ended, reason, event, now).await
}

/// The same for the live sessions of an account that are among `some`.
pub async fn revoke_among(
    connection: &mut PgConnection,
    user: &User,
    some: &[SessionId],
    reason: RevocationReason,
    event: Event,
    now: Timestamp,
) -> Result<usize, SessionsError> {
    let ended = store::revoke_all_but(connection, user, None, Some(some), reason, now).await?;
    tell(connection, user, &ended, reason, event, now).await
}

async fn tell(
    connection: &mut PgConnection,
    user: &User,
    ended: &[SessionId],
    reason: RevocationReason,
    event: Event,
    now: Timestamp,
) -> Result<usize, SessionsError> {
    if !ended.is_empty() {
        let event = event
            .tenant(user.tenant_id)
            .subject(user.id)
            .detail("reason", reason.as_str())
            .detail("sessions", ended.len());
        audit::record(connection, event).await?;
        let entries: Vec<Revocation> = ended
            .iter()
            .map(|&session| Revocation::Session {
                tenant: user.tenant_id,
                session,
            })
            .collect();
        revocations::publish(connection, &entries, now).await?;
    }
    Ok(ended.len())
}

fn about(event: Event, session: ChainOwner) -> Event {
    event
        .tenant(session.tenant_id)
        .subject(session.user_id)
        .session(session.session_id)
}

/// How many sessions one statement removes, so that no lock is held for long.
const PURGE_BATCH: u16 = 1_000;

/// Removes the sessions that have passed their absolute expiry, in batches. Those that were revoked or fell
/// idle stay until then: their tokens are refused all the same, and the index that finds them would have to
/// change with each refresh. Returns how many were removed.
pub async fn purge_expired(connection: &mut PgConnection, now: Timestamp) -> Result<u64, SessionsError> {
    let mut removed = 0;
    loop {
        let batch = store::purge(connection, now, i64::from(PURGE_BATCH)).await?;
        removed += batch;
        if batch < u64::from(PURGE_BATCH) {
            return Ok(removed);
        }
    }
}
