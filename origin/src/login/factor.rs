//! What somebody shows beside a password, or once more.

use crate::accounts::User;
use crate::audit::{self, Event, EventKind};
use crate::http::RequestContext;
use crate::kernel::db::PgConnection;
use crate::mail::Letter;
use crate::mfa::{Challenge, Checked, Method, PresentedCode};

use super::desk::Desk;
use super::error::LoginError;

/// How few backup codes are few enough to tell their holder.
const FEW_CODES: u64 = 3;

/// A code, and what it is one of.
pub(super) struct Shown {
    pub(super) method: Method,
    pub(super) code: PresentedCode,
}

impl Desk {
    /// Checks a code of an account that the caller has locked, and uses it up if it is right.
    pub(super) async fn check_code(
        &self,
        transaction: &mut PgConnection,
        context: &RequestContext,
        user: &User,
        shown: &Shown,
        challenge: Option<&Challenge>,
    ) -> Result<Checked, LoginError> {
        let is_right = match shown.method {
            Method::EmailCode => {
                challenge.is_some_and(|challenge| self.mail_codes.recognise(challenge, &shown.code))
            }
            Method::Totp => {
                return Ok(self
                    .factors
                    .take_code(transaction, user, &shown.code, context.now)
                    .await?);
            }
            Method::BackupCode => {
                let left = self
                    .factors
                    .take_backup_code(transaction, user, &shown.code)
                    .await?;
                if let Some(left) = left {
                    self.note_backup_code(transaction, context, user, left).await?;
                }
                left.is_some()
            }
        };
        Ok(if is_right { Checked::Right } else { Checked::Wrong })
    }

    async fn note_backup_code(
        &self,
        transaction: &mut PgConnection,
        context: &RequestContext,
        user: &User,
        left: u64,
    ) -> Result<(), LoginError> {
        let event = Event::of_request(context, EventKind::BackupCodeUsed)
            .tenant(user.tenant_id)
            .actor(user.id)
            .subject(user.id)
            .detail("left", left);
        let letter = Letter::BackupCodesLow { event: event.id() };
        audit::record(transaction, event).await?;
        if left <= FEW_CODES {
            self.mailer.enqueue(transaction, letter).await?;
        }
        Ok(())
    }
}
