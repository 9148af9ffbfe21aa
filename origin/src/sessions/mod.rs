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
//! - Refusing a token is the same work whatever is wrong with it.

mod error;
mod explain;
mod inspect;
mod judge;
mod keys;
mod model;
mod refresh_token;
mod store;

use std::sync::Arc;

use secrecy::SecretString;

pub use error::SessionsError;
pub use inspect::Inspection;
pub use judge::{ChainState, Judgement, judge};
pub use keys::{count_sealed_elsewhere, rewrap};
pub use model::{
    Accepted, Acr, Authentication, ChainOwner, Lifetimes, LiveSession, NewSession, Opened, Presented,
    RevocationReason, Session, Standing,
};
pub use refresh_token::{Link, PresentedToken, RefreshKey, looks_like_refresh_token};

use crate::accounts::UserStatus;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{FamilyId, Id as _, SessionId, TenantId, UserId};
use crate::kernel::random::Entropy;
use crate::kernel::secrets::MasterKey;
use crate::kernel::time::Timestamp;

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
    /// the caller commits whatever the outcome is, since reuse revokes the session. `tenant_slug` is the
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
            Judgement::Reuse => {
                let owner = owner_of(&chain);
                let reason = RevocationReason::RefreshTokenReused;
                store::revoke(connection, owner.session_id, owner.user_id, reason, now).await?;
                return Ok(Presented::Reused(owner));
            }
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

/// Ends a session of this user. False if it had ended before, or is not theirs.
pub async fn revoke(
    connection: &mut PgConnection,
    id: SessionId,
    user: UserId,
    reason: RevocationReason,
    now: Timestamp,
) -> Result<bool, SessionsError> {
    Ok(store::revoke(connection, id, user, reason, now).await?)
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
