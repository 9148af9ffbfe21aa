//! Looking at a refresh token without presenting it: no lock is taken, the chain stays where it is, and nobody is
//! accused of anything.

use secrecy::SecretString;

use crate::kernel::db::PgConnection;
use crate::kernel::time::Timestamp;

use super::judge::{ChainState, Judgement, judge};
use super::model::ChainOwner;
use super::refresh_token::{Link, PresentedToken};
use super::store;
use super::{Sessions, SessionsError};

/// What is known about a refresh token that the server has made.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Whose it is.
    pub owner: ChainOwner,
    /// What clients call the tenant.
    pub tenant_slug: String,
    /// The token's position in its chain.
    pub generation: u64,
    /// The state of the chain.
    pub chain: ChainState,
    /// What presenting the token at this moment would lead to.
    pub judgement: Judgement,
    /// Whether the account may sign in.
    pub account_is_active: bool,
    /// Until when the token would be answered, if nothing happens before.
    pub good_until: Timestamp,
}

impl Inspection {
    /// Whether the token would be answered with a successor if it were presented now.
    #[must_use]
    pub fn is_active(&self) -> bool {
        match self.judgement {
            Judgement::Rotate | Judgement::Replay => self.account_is_active,
            Judgement::Reuse | Judgement::Expired | Judgement::Revoked | Judgement::Unissued => false,
        }
    }

    /// When the token was first given out. Known of the current generation only.
    #[must_use]
    pub fn issued_at(&self) -> Option<Timestamp> {
        (self.judgement == Judgement::Rotate).then_some(self.chain.rotated_at)
    }
}

impl Sessions {
    /// What is known about `token` at `now`; `None` for a text that the server has not made. The judgement is that of
    /// [`Sessions::present`], and the work of a refusal is the same whatever is wrong.
    pub async fn inspect(
        &self,
        connection: &mut PgConnection,
        token: &SecretString,
        now: Timestamp,
    ) -> Result<Option<Inspection>, SessionsError> {
        let presented = PresentedToken::parse(token).unwrap_or_else(PresentedToken::unreadable);
        let Some(found) = store::find_chain(connection, presented.family()).await? else {
            self.keys.refuse_unknown(&presented);
            return Ok(None);
        };
        let key = self.keys.by_id(connection, found.mac_key_id).await?;
        let link = Link {
            tenant: found.owner.tenant_id,
            session: found.owner.session_id,
            family: presented.family(),
            generation: presented.generation(),
        };
        if !key.recognises(&presented, &link) {
            return Ok(None);
        }
        let window = self.lifetimes.replay_window;
        let judgement = judge(presented.generation(), &found.state, now, window);
        let ends_at = found.state.idle_expires_at.min(found.state.absolute_expires_at);
        let good_until = match judgement {
            Judgement::Replay => ends_at.min(found.state.rotated_at + window),
            Judgement::Rotate
            | Judgement::Reuse
            | Judgement::Expired
            | Judgement::Revoked
            | Judgement::Unissued => ends_at,
        };
        Ok(Some(Inspection {
            owner: found.owner,
            tenant_slug: found.tenant_slug,
            generation: presented.generation(),
            chain: found.state,
            judgement,
            account_is_active: found.account_is_active,
            good_until,
        }))
    }
}
