//! Somebody who registers.

use crate::accounts::{self, AccountsError, NewUser, User};
use crate::audit::{self, Event, EventKind};
use crate::devices::PresentedDevice;
use crate::http::RequestContext;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::passwords::PasswordHash;
use crate::mail::Letter;
use crate::rbac::HeldRoles;
use crate::recovery;
use crate::sessions::Authentication;

use super::desk::Desk;
use super::error::LoginError;
use super::model::SignedIn;

impl Desk {
    /// Makes an account and its first session. Nobody is told of that sign-in: there is nobody else yet.
    pub(super) async fn register(
        &self,
        context: &RequestContext,
        new: NewUser,
        device: &PresentedDevice,
    ) -> Result<SignedIn, LoginError> {
        let (tenant, hash) = self.prepare_account(context, &new).await?;
        let mut transaction = self.app.pool().begin().await?;
        let id = context.new_id::<UserId>();
        let ip = Some(context.client_ip);
        let user = accounts::create(&mut transaction, id, tenant, &new, &hash, context.now, ip)
            .await?
            .ok_or(AccountsError::EmailTaken)?;
        self.note_registration(&mut transaction, context, &user).await?;
        let entrance = self
            .open_session(
                &mut transaction,
                context,
                &user,
                device,
                Authentication::by_password(context.now),
            )
            .await?;
        transaction.commit().await?;
        // A new account holds no role anywhere.
        self.welcome(context, user, entrance, HeldRoles::none(context.now))
            .await
    }

    /// Makes an account, unless there is one with its address, whose holder is written to then. Which of the two it was shows in
    /// a mail alone: the statements are as many, and each costs a hash and a commit.
    pub(super) async fn register_unseen(
        &self,
        context: &RequestContext,
        new: NewUser,
    ) -> Result<(), LoginError> {
        let (tenant, hash) = self.prepare_account(context, &new).await?;
        let mut transaction = self.app.pool().begin().await?;
        let id = context.new_id::<UserId>();
        match accounts::create(&mut transaction, id, tenant, &new, &hash, context.now, None).await? {
            Some(user) => self.note_registration(&mut transaction, context, &user).await,
            None => {
                self.note_repetition(&mut transaction, context, tenant, &new)
                    .await
            }
        }?;
        transaction.commit().await?;
        Ok(())
    }

    /// Whether an account was made unseen, and nobody has shown yet that its address is theirs. It lets nobody in until then: who
    /// registers an address and then signs in with the password they chose would learn whether it was free.
    pub(super) fn awaits_confirmation(&self, user: &User) -> bool {
        self.app.config().registration.hide_existing && !user.email_verified && user.last_login_at.is_none()
    }

    async fn prepare_account(
        &self,
        context: &RequestContext,
        new: &NewUser,
    ) -> Result<(TenantId, PasswordHash), LoginError> {
        let tenant = {
            let mut connection = self.app.pool().acquire().await?;
            accounts::tenant(&mut connection, self.tenant_slug(context)).await?
        };
        let hasher = self.app.hasher();
        let hash = hasher.hash(new.password.clone(), context.random()).await?;
        Ok((tenant, hash))
    }

    async fn note_registration(
        &self,
        connection: &mut PgConnection,
        context: &RequestContext,
        user: &User,
    ) -> Result<(), LoginError> {
        let event = Event::of_request(context, EventKind::Registered);
        let event = event.tenant(user.tenant_id).actor(user.id).subject(user.id);
        audit::record(connection, event).await?;
        recovery::ask_to_verify(connection, &self.tickets, &self.mailer, context, user).await?;
        Ok(())
    }

    async fn note_repetition(
        &self,
        connection: &mut PgConnection,
        context: &RequestContext,
        tenant: TenantId,
        new: &NewUser,
    ) -> Result<(), LoginError> {
        let event = Event::of_request(context, EventKind::RegistrationRepeated).tenant(tenant);
        // An account that was deleted and not purged yet is found by nobody, and nobody is written to.
        let event = match accounts::lock(connection, tenant, &new.email).await? {
            Some(user) => event.subject(user.id),
            None => event,
        };
        let letter = Letter::AlreadyRegistered { event: event.id() };
        audit::record(connection, event).await?;
        self.mailer.enqueue(connection, letter).await?;
        Ok(())
    }
}
