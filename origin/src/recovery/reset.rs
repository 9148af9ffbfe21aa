//! A new password for somebody who has forgotten theirs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::accounts::password::PasswordRules;
use crate::accounts::{self, EmailAddress, UserStatus};
use crate::audit::{self, Event, EventKind};
use crate::devices;
use crate::http::{AppState, Problem, RequestContext};
use crate::jobs::{self, JobError, Task};
use crate::kernel::db::Pool;
use crate::kernel::ids::{Id as _, ResetRequestId, TicketId};
use crate::kernel::random::Entropy;
use crate::kernel::secret_digest::SecretDigest;
use crate::kernel::time::Timestamp;
use crate::lockout::{Kind, Lockout};
use crate::mail::{Letter, Mailer};
use crate::mfa;
use crate::rate_limit::{Limiter, Quota, client_key};
use crate::sessions::{self, RevocationReason};

use super::error::RecoveryError;
use super::model::{NewPassword, TicketSecret};
use super::store;
use super::ticket::{Purpose, Tickets};
use super::verification::confirm;

/// Somebody has asked for a new password; whose is to be found out.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct ResetRequested {
    request: ResetRequestId,
}

impl Task for ResetRequested {
    const NAME: &'static str = "answer_reset_request";
    /// For about three hours: nobody waits longer for such a mail.
    const ATTEMPTS: i32 = 10;
    const TIME_LIMIT: Duration = Duration::from_secs(30);
}

/// Counts a wish for a new password (`"reset-client"`) or an attempt to use a link (`"reset"`) against the limit of its client. Either
/// may be about anybody's account, and the latter may cost a hash, so that they have the limit of guesses at passwords.
pub(super) async fn admit(
    limiter: &Limiter,
    app: &AppState,
    context: &RequestContext,
    action: &'static str,
) -> Result<(), Problem> {
    let quota = Quota::per_minute(app.config().limits.login_per_minute_client);
    limiter
        .enforce(context, action, &client_key(context.client_ip), quota)
        .await
}

/// Takes a wish for a new password. Whether there is an account is not looked at, so that neither the answer nor its time can
/// tell. Beyond the limit of the address nothing comes of it.
pub(super) async fn request(
    app: &AppState,
    limiter: &Limiter,
    mailer: &Mailer,
    context: &RequestContext,
    email: &EmailAddress,
) -> Result<(), RecoveryError> {
    let slug = context.tenant.as_deref().unwrap_or(&app.config().default_tenant);
    let tenant = {
        let mut connection = app.pool().acquire().await?;
        accounts::tenant(&mut connection, slug).await?
    };
    let quota = Quota::per_hour(app.config().limits.reset_mails_per_hour);
    let account = format!("{tenant} {}", email.as_str());
    let is_within = limiter
        .check("reset-account", &account, quota, context.now)
        .await
        .is_ok();
    let mut transaction = app.pool().begin().await?;
    let event = Event::of_request(context, EventKind::PasswordResetRequested).tenant(tenant);
    audit::record(&mut transaction, event.detail("answered", is_within)).await?;
    if is_within && mailer.is_on() {
        let request = context.new_id();
        store::add_request(&mut transaction, request, tenant, email.as_str(), context.now).await?;
        jobs::enqueue(&mut transaction, &ResetRequested { request }).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Writes to the account that a wish is about, if there is one that may have a new password.
pub async fn answer_request(
    pool: &Pool,
    tickets: &Tickets,
    mailer: &Mailer,
    task: ResetRequested,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<(), JobError> {
    let mut transaction = pool.begin().await?;
    let Some((tenant, email)) = store::take_request(&mut transaction, task.request).await? else {
        return Ok(());
    };
    let email = EmailAddress::parse(&email).map_err(JobError::final_because)?;
    let user = accounts::lock(&mut transaction, tenant, &email).await?;
    if let Some(user) = user.filter(|user| user.status != UserStatus::Disabled) {
        let ticket = TicketId::generate(now, entropy);
        tickets
            .issue(&mut transaction, ticket, &user, Purpose::ResetPassword, now)
            .await?;
        mailer
            .enqueue(&mut transaction, Letter::ResetPassword { ticket })
            .await?;
        let event = Event::of_operator(now, entropy, EventKind::PasswordResetOffered);
        audit::record(&mut transaction, event.tenant(tenant).subject(user.id)).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Replaces the password of the account that the ticket was sent to, ends all its sessions, forgets all its devices, and ends the locks that
/// wrong passwords have brought about: guesses at the old one tell nothing about the new. The ticket stays good for as long as
/// the password is not good enough.
pub(super) async fn reset(
    app: &AppState,
    rules: &PasswordRules,
    lockout: &Lockout,
    mailer: &Mailer,
    context: &RequestContext,
    new: NewPassword,
) -> Result<(), RecoveryError> {
    let (ticket, user) = {
        let mut connection = app.pool().acquire().await?;
        let ticket = find(&mut connection, &new.secret, context.now).await?;
        let user = accounts::find(&mut connection, ticket.tenant, ticket.user).await?;
        (ticket, user.ok_or(RecoveryError::InvalidTicket)?)
    };
    rules
        .check(new.password.clone(), user.guessable_words())
        .await??;
    let hash = app.hasher().hash(new.password, context.random()).await?;

    let mut transaction = app.pool().begin().await?;
    let user = accounts::lock_by_id(&mut transaction, ticket.tenant, ticket.user)
        .await?
        .filter(|user| user.status != UserStatus::Disabled && user.email == ticket.email)
        .ok_or(RecoveryError::InvalidTicket)?;
    if !store::consume(&mut transaction, &ticket, context.now).await? {
        return Err(RecoveryError::InvalidTicket);
    }
    accounts::set_password(&mut transaction, &user, &hash, context.now).await?;
    mfa::end_all(&mut transaction, &user).await?;
    let event = |kind| Event::of_request(context, kind);
    let replaced = event(EventKind::PasswordReset)
        .tenant(user.tenant_id)
        .subject(user.id);
    let letter = Letter::PasswordReset { event: replaced.id() };
    audit::record(&mut transaction, replaced).await?;
    lockout
        .lift(
            &mut transaction,
            &user,
            Kind::OF_PASSWORDS,
            event(EventKind::SignInUnlocked),
            context.now,
        )
        .await?;
    // Who has the link reads the mail of this address.
    confirm(&mut transaction, context, &user).await?;
    mailer.enqueue(&mut transaction, letter).await?;
    // Whoever made it necessary may have made a device of theirs known, and who has forgotten a password proves it anew.
    devices::forget_all_but(&mut transaction, &user, None, event(EventKind::DevicesForgotten)).await?;
    sessions::revoke_all_but(
        &mut transaction,
        &user,
        None,
        RevocationReason::PasswordReset,
        event(EventKind::SessionsRevoked),
        context.now,
    )
    .await?;
    accounts::outdate_tokens(&mut transaction, &user, context.now).await?;
    transaction.commit().await?;
    Ok(())
}

async fn find(
    connection: &mut crate::kernel::db::PgConnection,
    secret: &TicketSecret,
    now: Timestamp,
) -> Result<super::ticket::Ticket, RecoveryError> {
    let digest = SecretDigest::of(secret.text());
    store::find_by_secret(connection, &digest, Purpose::ResetPassword, now)
        .await?
        .ok_or(RecoveryError::InvalidTicket)
}
