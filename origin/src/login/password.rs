//! Somebody who signs in with a password.

use crate::accounts::{self, Credentials, EmailAddress, User, UserStatus};
use crate::audit::{self, Event, EventKind};
use crate::devices::{self, PresentedDevice, Trust};
use crate::http::RequestContext;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::passwords::{Password, PasswordHash};
use crate::lockout::Attempt;
use crate::sessions::Authentication;

use super::desk::Desk;
use super::error::LoginError;
use super::model::{Outcome, PasswordLogin};

/// How often a right password is checked, where the account is another one each time.
const MOST_CHECKS: usize = 2;

/// Who somebody says they are, and what it counts for if they are not.
struct Claim {
    tenant: TenantId,
    known: Option<UserId>,
    /// How well the account knows the device.
    trust: Trust,
    attempt: Attempt,
}

impl Desk {
    /// Checks a password and opens a session. Whether the address is known does not show, neither in the answer nor in the work: as many
    /// reads, one hash, one count and one event either way.
    pub(super) async fn login(
        &self,
        context: &RequestContext,
        login: PasswordLogin,
        device: &PresentedDevice,
    ) -> Result<Outcome, LoginError> {
        let mut checks = 0;
        loop {
            let (claim, found) = self.look_up(context, &login.email, device).await?;
            let (user, hash) = self.prove(context, &claim, found, &login.password).await?;
            let entering = self.enter(context, &claim, user, device, &login.password, &hash);
            match entering.await {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => {}
                Err(refusal @ (LoginError::Locked(_) | LoginError::TooManyChallenges(_))) => {
                    return self.refuse(context, &claim, refusal).await;
                }
                Err(error) => return Err(error),
            }
            // Often nothing but the hash has changed: who signs in at the same moment has renewed it.
            checks += 1;
            if checks == MOST_CHECKS {
                return self.refuse(context, &claim, LoginError::InvalidCredentials).await;
            }
        }
    }

    /// Finds the account, if there is one, and refuses what would be refused after the work as well.
    async fn look_up(
        &self,
        context: &RequestContext,
        email: &EmailAddress,
        device: &PresentedDevice,
    ) -> Result<(Claim, Option<Credentials>), LoginError> {
        let mut connection = self.app.pool().acquire().await?;
        let tenant = accounts::tenant(&mut connection, self.tenant_slug(context)).await?;
        let found = accounts::find_credentials(&mut connection, tenant, email).await?;
        let known = found.as_ref().map(|found| found.user.id);
        let device = devices::recognise(&mut connection, tenant, known, device, context.now).await?;
        let attempt = match (&found, &device) {
            (Some(found), Some(device)) => self.lockout.on_device(&found.user, device.id),
            (None, _) | (_, None) => self.lockout.by_stranger(tenant, email, known, context.client_ip),
        };
        let claim = Claim {
            tenant,
            known,
            trust: device.map_or(Trust::NONE, |device| device.trust(context.now)),
            attempt,
        };
        let locked = self
            .lockout
            .check(&mut connection, &claim.attempt, context.now)
            .await?;
        drop(connection);
        match locked {
            Some(locked) => self.refuse(context, &claim, locked.into()).await,
            None => Ok((claim, found)),
        }
    }

    /// The account whose password this is, provided that it may sign in. What is wrong with it is told only to who has found the
    /// password before the attempts were used up.
    async fn prove(
        &self,
        context: &RequestContext,
        claim: &Claim,
        found: Option<Credentials>,
        password: &Password,
    ) -> Result<(User, PasswordHash), LoginError> {
        let (user, hash) = match found {
            Some(found) => (Some(found.user), found.password_hash),
            None => (None, None),
        };
        let matches = self.app.hasher().verify(password.clone(), hash.as_ref()).await?;
        let (Some(user), Some(hash), true) = (user, hash, matches) else {
            return self.refuse(context, claim, LoginError::InvalidCredentials).await;
        };
        if self.awaits_confirmation(&user) {
            return self.refuse(context, claim, LoginError::AddressUnconfirmed).await;
        }
        let locked = {
            let mut connection = self.app.pool().acquire().await?;
            self.lockout
                .pass(&mut connection, &claim.attempt, context.now)
                .await?
        };
        if let Some(locked) = locked {
            return self.refuse(context, claim, locked.into()).await;
        }
        match user.status {
            UserStatus::Active => Ok((user, hash)),
            UserStatus::Locked => self.refuse(context, claim, LoginError::AccountLocked).await,
            UserStatus::Disabled => self.refuse(context, claim, LoginError::AccountDisabled).await,
        }
    }

    /// Opens a session, or asks for more than a password. `None`: the account or its hash was changed since the password was checked.
    async fn enter(
        &self,
        context: &RequestContext,
        claim: &Claim,
        user: User,
        device: &PresentedDevice,
        password: &Password,
        checked: &PasswordHash,
    ) -> Result<Option<Outcome>, LoginError> {
        let renewed = self.renewed_hash(context, password, checked).await;
        let mut transaction = self.app.pool().begin().await?;
        let Some(user) = accounts::lock_checked(&mut transaction, &user, checked).await? else {
            return Ok(None);
        };
        if let Some(renewed) = renewed {
            accounts::renew_hash(&mut transaction, &user, checked, &renewed).await?;
        }
        let methods = self.further_step(&user, claim.trust);
        let proved = Authentication::by_password(context.now);
        if methods.is_empty() {
            let signed_in = self
                .let_in(transaction, context, user, device, proved, true)
                .await?;
            return Ok(Some(Outcome::SignedIn(Box::new(signed_in))));
        }
        let challenged = self
            .challenge(&mut transaction, context, &user, device, methods, proved.amr)
            .await?;
        transaction.commit().await?;
        Ok(Some(Outcome::Challenged(challenged)))
    }

    /// A fresh hash of a password that has just been found to match, where what is stored is outdated. A server that is too busy
    /// for it does it at another sign-in.
    async fn renewed_hash(
        &self,
        context: &RequestContext,
        password: &Password,
        stored: &PasswordHash,
    ) -> Option<PasswordHash> {
        let hasher = self.app.hasher();
        if !hasher.is_outdated(password, stored).ok()? {
            return None;
        }
        hasher.hash(password.clone(), context.random()).await.ok()
    }

    /// Commits the trace of a refusal, and the count where the password is to blame, and then refuses: for a lock, if others have
    /// brought one about meanwhile.
    async fn refuse<T>(
        &self,
        context: &RequestContext,
        claim: &Claim,
        refusal: LoginError,
    ) -> Result<T, LoginError> {
        let event = Event::of_request(context, EventKind::LoginFailed)
            .tenant(claim.tenant)
            .detail("reason", refusal.to_string());
        let event = match claim.known {
            Some(user) => event.subject(user),
            None => event,
        };
        let mut transaction = self.app.pool().begin().await?;
        let locked = if refusal.is_of_the_password() {
            self.lockout
                .fail(&mut transaction, &self.mailer, context, &claim.attempt, event)
                .await?
        } else {
            audit::record(&mut transaction, event).await?;
            None
        };
        transaction.commit().await?;
        Err(locked.map_or(refusal, LoginError::Locked))
    }
}
