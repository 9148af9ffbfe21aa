//! What clients send about mails and their links.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::accounts::EmailAddress;
use crate::accounts::fields::{parse_email, parse_new_password};
use crate::http::{Validate, Violations};
use crate::kernel::passwords::Password;

use super::ticket::SECRET_LENGTH;

/// `POST /auth/forgot-password`.
#[derive(Deserialize)]
pub(super) struct ForgotPasswordRequest {
    email: Option<String>,
}

impl Validate for ForgotPasswordRequest {
    type Valid = EmailAddress;

    fn validate(self, violations: &mut Violations) -> Option<EmailAddress> {
        let text = violations.required("email", self.email)?;
        parse_email(violations, &text)
    }
}

/// The secret of a link, as it was presented. One that no ticket can have is kept as an empty text, and refused as any
/// other bad one is.
#[derive(Clone, Debug)]
pub(super) struct TicketSecret(SecretString);

impl TicketSecret {
    /// Takes what was presented.
    pub(super) fn of(text: &SecretString) -> Self {
        let text = text.expose_secret();
        let has_form = text.len() == SECRET_LENGTH
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        Self(if has_form {
            text.into()
        } else {
            SecretString::default()
        })
    }

    pub(super) fn text(&self) -> &SecretString {
        &self.0
    }

    /// Whether a ticket could have it.
    pub(super) fn has_form(&self) -> bool {
        !self.0.expose_secret().is_empty()
    }
}

/// `POST /auth/verify-email`.
#[derive(Deserialize)]
pub(super) struct VerifyEmailRequest {
    token: Option<SecretString>,
}

impl Validate for VerifyEmailRequest {
    type Valid = TicketSecret;

    fn validate(self, violations: &mut Violations) -> Option<TicketSecret> {
        violations
            .required("token", self.token)
            .map(|text| TicketSecret::of(&text))
    }
}

/// `POST /auth/reset-password`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResetPasswordRequest {
    token: Option<SecretString>,
    #[serde(alias = "new_password")]
    new_password: Option<SecretString>,
}

/// The password that an account is to have, and the link that allows it.
pub(super) struct NewPassword {
    pub(super) secret: TicketSecret,
    pub(super) password: Password,
}

impl Validate for ResetPasswordRequest {
    type Valid = NewPassword;

    fn validate(self, violations: &mut Violations) -> Option<NewPassword> {
        let token = violations.required("token", self.token);
        let password = violations.required("newPassword", self.new_password);
        let password = password.and_then(|text| parse_new_password(violations, "newPassword", &text));
        Some(NewPassword {
            secret: TicketSecret::of(&token?),
            password: password?,
        })
    }
}
