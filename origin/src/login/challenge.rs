//! Somebody whose password was right, and who is to show more than that.

use crate::accounts::{self, User, UserStatus};
use crate::audit::{self, Event, EventKind};
use crate::devices::{PresentedDevice, Trust};
use crate::http::RequestContext;
use crate::kernel::db::{PgConnection, Transaction};
use crate::mail::Letter;
use crate::mfa::{self, Challenge, Checked, Method, NewChallenge};
use crate::sessions::Authentication;

use super::desk::Desk;
use super::error::LoginError;
use super::model::{ChallengeAnswer, Challenged, SignedIn};

impl Desk {
    /// What somebody may show beside a right password, on a device that the account knows this well; nothing: the password is enough. A second factor
    /// is asked for on every device.
    pub(super) fn further_step(&self, user: &User, trust: Trust) -> Vec<Method> {
        if user.mfa_enabled {
            return Self::second_factor(user);
        }
        // A code for an address that nobody has confirmed may keep its account from its holder for good.
        let by_mail = self.app.config().devices.email_code && user.email_verified && trust.is_low();
        by_mail.then_some(Method::EmailCode).into_iter().collect()
    }

    /// What somebody may show as the second factor of an account; nothing: it has none.
    pub(super) fn second_factor(user: &User) -> Vec<Method> {
        if user.mfa_enabled {
            vec![Method::Totp, Method::BackupCode]
        } else {
            Vec::new()
        }
    }

    /// Asks for that, after what `amr` names, of an account that the caller has locked.
    pub(super) async fn challenge(
        &self,
        transaction: &mut PgConnection,
        context: &RequestContext,
        user: &User,
        device: &PresentedDevice,
        methods: Vec<Method>,
        amr: Vec<String>,
    ) -> Result<Challenged, LoginError> {
        let attempt = self.lockout.at_factor(user);
        if let Some(locked) = self.lockout.check(transaction, &attempt, context.now).await? {
            return Err(locked.into());
        }
        let new = NewChallenge {
            device,
            methods: &methods,
            amr: &amr,
        };
        let asked = mfa::open(transaction, user, &new, context.now, context.entropy()).await??;
        if methods.contains(&Method::EmailCode) {
            let challenge = asked.id;
            self.mailer
                .enqueue(transaction, Letter::SignInCode { challenge })
                .await?;
        }
        let names: Vec<&str> = methods.iter().copied().map(<&str>::from).collect();
        let event = Event::of_request(context, EventKind::LoginChallenged)
            .tenant(user.tenant_id)
            .subject(user.id)
            .detail("methods", names);
        audit::record(transaction, event).await?;
        Ok(Challenged {
            token: asked.token,
            methods,
        })
    }

    /// Checks the answer to a challenge, and opens the session that it was asked for. Of many answers at once, one at a time is looked at.
    pub(super) async fn answer(
        &self,
        context: &RequestContext,
        answer: &ChallengeAnswer,
        device: &PresentedDevice,
    ) -> Result<SignedIn, LoginError> {
        let mut transaction = self.app.pool().begin().await?;
        let (user, challenge) = self.waiting(&mut transaction, context, answer, device).await?;
        let attempt = self.lockout.at_factor(&user);
        let locked = self
            .lockout
            .check(&mut transaction, &attempt, context.now)
            .await?;
        let checked = if locked.is_none() && challenge.methods.contains(&answer.shown.method) {
            self.check_code(&mut transaction, context, &user, &answer.shown, Some(&challenge))
                .await?
        } else {
            Checked::Wrong
        };
        if checked != Checked::Right {
            let refusal = LoginError::of_code(checked);
            return self
                .refuse_code(transaction, context, &user, &challenge, refusal)
                .await;
        }
        self.lockout.pass(&mut transaction, &attempt, context.now).await?;
        if let Err(refusal) = standing(&user) {
            return Self::refuse_answer(transaction, context, &user, refusal).await;
        }
        mfa::answer(&mut transaction, &challenge).await?;
        let proved = Authentication::of(challenge.amr, context.now);
        let proved = match answer.shown.method {
            Method::EmailCode => proved.confirmed_by_mail(context.now),
            Method::Totp | Method::BackupCode => proved.strengthened(context.now),
        };
        self.let_in(transaction, context, user, device, proved, false)
            .await
    }

    /// The challenge that an answer is for, and its account, locked.
    async fn waiting(
        &self,
        transaction: &mut PgConnection,
        context: &RequestContext,
        answer: &ChallengeAnswer,
        device: &PresentedDevice,
    ) -> Result<(User, Challenge), LoginError> {
        let found = mfa::find(transaction, &answer.token, device, context.now)
            .await?
            .ok_or(LoginError::InvalidMfaToken)?;
        if let Some(slug) = &context.tenant
            && accounts::tenant(transaction, slug).await? != found.tenant
        {
            return Err(LoginError::InvalidMfaToken);
        }
        let user = accounts::lock_by_id(transaction, found.tenant, found.user)
            .await?
            .ok_or(LoginError::InvalidMfaToken)?;
        // Others may have answered it while the account was waited for.
        let challenge = mfa::find(transaction, &answer.token, device, context.now)
            .await?
            .ok_or(LoginError::InvalidMfaToken)?;
        Ok((user, challenge))
    }

    /// Counts a wrong code against its challenge and its account, and refuses it: for a lock, if there is one.
    async fn refuse_code<T>(
        &self,
        mut transaction: Transaction<'_>,
        context: &RequestContext,
        user: &User,
        challenge: &Challenge,
        refusal: LoginError,
    ) -> Result<T, LoginError> {
        let event = refused(context, user, &refusal);
        let attempt = self.lockout.at_factor(user);
        let locked = self
            .lockout
            .fail(&mut transaction, &self.mailer, context, &attempt, event)
            .await?;
        if locked.is_none() {
            mfa::fail(&mut transaction, challenge).await?;
        }
        transaction.commit().await?;
        Err(locked.map_or(refusal, LoginError::Locked))
    }

    /// Commits the trace of a refusal, and refuses.
    pub(super) async fn refuse_answer<T>(
        mut transaction: Transaction<'_>,
        context: &RequestContext,
        user: &User,
        refusal: LoginError,
    ) -> Result<T, LoginError> {
        audit::record(&mut transaction, refused(context, user, &refusal)).await?;
        transaction.commit().await?;
        Err(refusal)
    }
}

/// Whether an account may be let in, whoever has proved that it is theirs.
pub(super) fn standing(user: &User) -> Result<(), LoginError> {
    match user.status {
        UserStatus::Active => Ok(()),
        UserStatus::Locked => Err(LoginError::AccountLocked),
        UserStatus::Disabled => Err(LoginError::AccountDisabled),
    }
}

fn refused(context: &RequestContext, user: &User, refusal: &LoginError) -> Event {
    Event::of_request(context, EventKind::LoginFailed)
        .tenant(user.tenant_id)
        .subject(user.id)
        .detail("reason", refusal.to_string())
}
