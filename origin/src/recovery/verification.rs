//! Showing that an address is one's own.

use crate::accounts::{self, User};
use crate::audit::{self, Event, EventKind};
use crate::http::{AppState, Problem, RequestContext};
use crate::kernel::db::PgConnection;
use crate::kernel::ids::TicketId;
use crate::kernel::secret_digest::SecretDigest;
use crate::mail::{Letter, Mailer};
use crate::rate_limit::{Limiter, Quota};
use crate::tokens::CurrentUser;

use super::error::RecoveryError;
use super::model::TicketSecret;
use super::store;
use super::ticket::{Purpose, Tickets};

/// Sees to it that the holder of an account is asked to confirm its address, if the caller's transaction commits. Does nothing
/// while mail is off.
pub async fn ask_to_verify(
    connection: &mut PgConnection,
    tickets: &Tickets,
    mailer: &Mailer,
    context: &RequestContext,
    user: &User,
) -> Result<(), RecoveryError> {
    if !mailer.is_on() {
        return Ok(());
    }
    let ticket: TicketId = context.new_id();
    tickets
        .issue(connection, ticket, user, Purpose::VerifyEmail, context.now)
        .await?;
    mailer.enqueue(connection, Letter::VerifyEmail { ticket }).await?;
    Ok(())
}

/// Counts a wish for another mail against the limit of its account.
pub(super) async fn admit_resend(
    limiter: &Limiter,
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
) -> Result<(), Problem> {
    let quota = Quota::per_hour(app.config().limits.verification_mails_per_hour);
    limiter
        .enforce(context, "verification-mail", &caller.user.id.to_string(), quota)
        .await
}

/// Sends the caller another link; the one before ends.
pub(super) async fn resend(
    app: &AppState,
    tickets: &Tickets,
    mailer: &Mailer,
    context: &RequestContext,
    caller: &CurrentUser,
) -> Result<(), RecoveryError> {
    let user = &caller.user;
    let mut transaction = app.pool().begin().await?;
    ask_to_verify(&mut transaction, tickets, mailer, context, user).await?;
    let event = Event::of_request(context, EventKind::VerificationResent)
        .tenant(user.tenant_id)
        .actor(user.id)
        .subject(user.id)
        .session(caller.session.id);
    audit::record(&mut transaction, event).await?;
    transaction.commit().await?;
    Ok(())
}

/// Notes that the address of an account is its holder's, by the ticket that was sent to it.
pub(super) async fn verify(
    app: &AppState,
    context: &RequestContext,
    secret: &TicketSecret,
) -> Result<(), RecoveryError> {
    let mut transaction = app.pool().begin().await?;
    let digest = SecretDigest::of(secret.text());
    let ticket = store::find_by_secret(&mut transaction, &digest, Purpose::VerifyEmail, context.now)
        .await?
        .ok_or(RecoveryError::InvalidTicket)?;
    let user = accounts::lock_by_id(&mut transaction, ticket.tenant, ticket.user)
        .await?
        // A ticket proves something about the address that it went to, and about no other.
        .filter(|user| user.email == ticket.email)
        .ok_or(RecoveryError::InvalidTicket)?;
    if !store::consume(&mut transaction, &ticket, context.now).await? {
        return Err(RecoveryError::InvalidTicket);
    }
    confirm(&mut transaction, context, &user).await?;
    transaction.commit().await?;
    Ok(())
}

/// Notes that the address of an account that the caller has locked is its holder's, unless that is known.
pub(super) async fn confirm(
    connection: &mut PgConnection,
    context: &RequestContext,
    user: &User,
) -> Result<(), RecoveryError> {
    if accounts::confirm_email(connection, user, context.now).await? {
        let event = Event::of_request(context, EventKind::EmailVerified);
        audit::record(connection, event.tenant(user.tenant_id).subject(user.id)).await?;
    }
    Ok(())
}
