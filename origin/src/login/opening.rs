//! What a good sign-in opens: a session, on a device that is known from then on.

use crate::accounts::{self, User};
use crate::audit::{self, EventKind};
use crate::devices::{self, DeviceToken, PresentedDevice, Trust};
use crate::http::RequestContext;
use crate::kernel::db::{PgConnection, Transaction};
use crate::kernel::ids::AuditEventId;
use crate::mail::Letter;
use crate::rbac;
use crate::sessions::{Authentication, NewSession, Opened};

use super::desk::{Desk, issuing_moment, owner_of, session_event};
use super::error::LoginError;
use super::model::SignedIn;

/// A session that was just opened, and the device it is on.
pub(super) struct Entrance {
    pub(super) opened: Opened,
    pub(super) device: Handout,
    /// How well the account knew the device before.
    trust: Trust,
    /// What the log says of it.
    event: AuditEventId,
}

/// What a device is given to present the next time.
pub(super) struct Handout {
    pub(super) token: DeviceToken,
    /// Whether it presented itself by its cookie, so that no script gets to see what it is given.
    pub(super) in_cookie: bool,
}

impl Desk {
    /// Opens a session for an account that the caller has locked.
    pub(super) async fn open_session(
        &self,
        transaction: &mut PgConnection,
        context: &RequestContext,
        user: &User,
        presented: &PresentedDevice,
        authentication: Authentication,
    ) -> Result<Entrance, LoginError> {
        let met = devices::meet(transaction, user, presented, context.now, context.entropy()).await?;
        let new = NewSession {
            user_id: user.id,
            tenant_id: user.tenant_id,
            authentication,
            ip_address: context.client_ip,
            user_agent: context.user_agent.clone(),
            device_id: Some(met.id),
            device_name: presented.kind().map(str::to_owned),
        };
        let opened = self
            .sessions
            .open(transaction, new, context.now, context.entropy())
            .await?;
        let event = session_event(context, EventKind::LoggedIn, owner_of(user, &opened.session))
            .actor(user.id)
            .detail("device", met.id.to_string())
            .detail("trust", met.trust.score());
        let id = event.id();
        audit::record(transaction, event).await?;
        Ok(Entrance {
            opened,
            device: Handout {
                token: met.token,
                in_cookie: presented.in_cookie,
            },
            trust: met.trust,
            event: id,
        })
    }

    /// Opens a session for an account that the caller has locked, commits, and makes its tokens. `announced`: its holder is written to where the
    /// device is not known.
    pub(super) async fn let_in(
        &self,
        mut transaction: Transaction<'_>,
        context: &RequestContext,
        user: User,
        device: &PresentedDevice,
        proved: Authentication,
        announced: bool,
    ) -> Result<SignedIn, LoginError> {
        let user = accounts::note_login(&mut transaction, user, context.now, context.client_ip).await?;
        let moment = issuing_moment(context, &user)?;
        let entrance = self
            .open_session(&mut transaction, context, &user, device, proved)
            .await?;
        if announced {
            self.announce(&mut transaction, &entrance).await?;
        }
        let held = rbac::held(&mut transaction, &user, moment).await?;
        transaction.commit().await?;
        self.welcome(context, user, entrance, held).await
    }

    /// Writes to the account where its password alone was not enough to be sure of who has entered.
    async fn announce(&self, transaction: &mut PgConnection, entrance: &Entrance) -> Result<(), LoginError> {
        if entrance.trust.is_low() {
            let letter = Letter::NewSignIn {
                event: entrance.event,
            };
            self.mailer.enqueue(transaction, letter).await?;
        }
        Ok(())
    }
}
