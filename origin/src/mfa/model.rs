//! What clients send and get to set up, use and give up a second factor.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::http::{Validate, Violations};
use crate::kernel::passwords::Password;

use super::code::PresentedCode;
use super::factor::SetUp;

/// `POST /auth/mfa/setup` and `DELETE /auth/mfa/disable`.
#[derive(Deserialize)]
pub(super) struct PasswordRequest {
    password: Option<SecretString>,
}

impl Validate for PasswordRequest {
    type Valid = Password;

    fn validate(self, violations: &mut Violations) -> Option<Password> {
        let given = self.password.filter(|text| !text.expose_secret().is_empty());
        violations
            .required("password", given)
            .map(|text| Password::new(&text))
    }
}

/// `POST /auth/mfa/verify`.
#[derive(Deserialize)]
pub(super) struct VerifyRequest {
    #[serde(alias = "token")]
    code: Option<SecretString>,
}

impl Validate for VerifyRequest {
    type Valid = PresentedCode;

    fn validate(self, violations: &mut Violations) -> Option<PresentedCode> {
        violations
            .required("code", self.code)
            .map(|text| PresentedCode::of(&text))
    }
}

/// The answer to a set-up: the only one that shows its secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetUpView {
    secret: String,
    otpauth_url: String,
    qr_code: String,
    backup_codes: Vec<String>,
}

impl From<SetUp> for SetUpView {
    fn from(set_up: SetUp) -> Self {
        Self {
            secret: set_up.secret.expose_secret().to_owned(),
            otpauth_url: set_up.url.expose_secret().to_owned(),
            qr_code: format!("data:image/png;base64,{}", set_up.qr_code.expose_secret()),
            backup_codes: exposed(&set_up.backup_codes),
        }
    }
}

/// The answer to its confirmation.
#[derive(Serialize)]
pub(super) struct Enabled {
    pub(super) enabled: bool,
}

/// The answer to a wish for other backup codes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BackupCodesView {
    backup_codes: Vec<String>,
}

impl From<Vec<SecretString>> for BackupCodesView {
    fn from(codes: Vec<SecretString>) -> Self {
        Self {
            backup_codes: exposed(&codes),
        }
    }
}

fn exposed(codes: &[SecretString]) -> Vec<String> {
    codes.iter().map(|code| code.expose_secret().to_owned()).collect()
}
