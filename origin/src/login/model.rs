//! What clients send to sign in and stay signed in, and what they get.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::accounts::fields::{parse_email, parse_name, parse_new_password, parse_phone};
use crate::accounts::{EmailAddress, NewUser, User, UserView};
use crate::device_keys::{Signed, SignedRequest};
use crate::http::{Validate, Violations};
use crate::kernel::ids::SessionId;
use crate::kernel::passwords::Password;
use crate::kernel::time::{Timestamp, as_rfc3339};
use crate::mfa::{self, Method, MfaToken, PresentedCode};
use crate::sessions::{Opened, Session};
use crate::tokens::AccessToken;

use super::factor::Shown;
use super::opening::{Entrance, Handout};

/// `POST /auth/register`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisterRequest {
    email: Option<String>,
    password: Option<SecretString>,
    #[serde(alias = "first_name")]
    first_name: Option<String>,
    #[serde(alias = "last_name")]
    last_name: Option<String>,
    phone: Option<String>,
}

impl Validate for RegisterRequest {
    type Valid = NewUser;

    fn validate(self, violations: &mut Violations) -> Option<NewUser> {
        let email = violations.required("email", self.email.as_deref());
        let password = violations.required("password", self.password.as_ref());
        let first = violations.required("firstName", self.first_name.as_deref());
        let last = violations.required("lastName", self.last_name.as_deref());

        let address = email.and_then(|text| parse_email(violations, text));
        let password = password.and_then(|text| parse_new_password(violations, "password", text));
        let first_name = first.and_then(|text| parse_name(violations, "firstName", text));
        let last_name = last.and_then(|text| parse_name(violations, "lastName", text));
        // The old clients send an empty text for "no number".
        let phone = match self.phone.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(text) => Some(parse_phone(violations, text)?),
        };
        Some(NewUser {
            email: address?,
            password: password?,
            first_name: first_name?,
            last_name: last_name?,
            phone,
        })
    }
}

/// `POST /auth/login`.
#[derive(Deserialize)]
pub(super) struct LoginRequest {
    email: Option<String>,
    password: Option<SecretString>,
}

/// An address and a password to go with it.
#[derive(Clone)]
pub(super) struct PasswordLogin {
    pub(super) email: EmailAddress,
    pub(super) password: Password,
}

impl Validate for LoginRequest {
    type Valid = PasswordLogin;

    fn validate(self, violations: &mut Violations) -> Option<PasswordLogin> {
        let email = violations.required("email", self.email);
        let given = self.password.filter(|text| !text.expose_secret().is_empty());
        let password = violations.required("password", given);
        let email = email.and_then(|text| parse_email(violations, &text));
        Some(PasswordLogin {
            email: email?,
            password: Password::new(&password?),
        })
    }
}

/// `POST /auth/login/mfa`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AnswerRequest {
    #[serde(alias = "mfa_token")]
    mfa_token: Option<SecretString>,
    method: Option<String>,
    code: Option<SecretString>,
}

/// The answer to a challenge.
pub(super) struct ChallengeAnswer {
    pub(super) token: MfaToken,
    pub(super) shown: Shown,
}

impl Validate for AnswerRequest {
    type Valid = ChallengeAnswer;

    fn validate(self, violations: &mut Violations) -> Option<ChallengeAnswer> {
        let token = violations.required("mfaToken", self.mfa_token);
        let method = violations.required("method", self.method);
        let code = violations.required("code", self.code);
        let method = method.and_then(|name| parse_method(violations, &name));
        Some(ChallengeAnswer {
            token: MfaToken::presented(token?),
            shown: Shown {
                method: method?,
                code: PresentedCode::of(&code?),
            },
        })
    }
}

fn parse_method(violations: &mut Violations, name: &str) -> Option<Method> {
    let method = name.parse().ok();
    if method.is_none() {
        violations.add("method", "invalid", "This is not a method of proving who one is.");
    }
    method
}

/// `POST /auth/mfa/step-up`.
#[derive(Deserialize)]
pub(super) struct StepUpRequest {
    method: Option<String>,
    code: Option<SecretString>,
    #[serde(flatten)]
    signed: SignedRequest,
}

/// What somebody who is signed in shows once more.
pub(super) enum Proof {
    /// The password.
    Password(Password),
    /// A code.
    Code(Shown),
    /// A signature by a key of a device.
    DeviceKey(Signed),
}

impl Validate for StepUpRequest {
    type Valid = Proof;

    fn validate(self, violations: &mut Violations) -> Option<Proof> {
        let method = violations.required("method", self.method)?;
        if method == "biometric" {
            return self.signed.validate(violations).map(Proof::DeviceKey);
        }
        let code = violations.required("code", self.code);
        match method {
            name if name == "password" => Some(Proof::Password(Password::new(&code?))),
            name => {
                let method = parse_method(violations, &name)?;
                let code = PresentedCode::of(&code?);
                Some(Proof::Code(Shown { method, code }))
            }
        }
    }
}

/// `POST /auth/refresh`.
#[derive(Deserialize)]
pub(super) struct RefreshRequest {
    #[serde(rename = "refreshToken", alias = "refresh_token")]
    refresh_token: Option<SecretString>,
}

impl Validate for RefreshRequest {
    type Valid = SecretString;

    fn validate(self, violations: &mut Violations) -> Option<SecretString> {
        violations.required("refreshToken", self.refresh_token)
    }
}

/// `POST /auth/logout`; and `POST /auth/refresh` with a cookie.
#[derive(Deserialize)]
pub(super) struct OptionalRefreshToken {
    #[serde(rename = "refreshToken", alias = "refresh_token")]
    refresh_token: Option<SecretString>,
}

impl Validate for OptionalRefreshToken {
    type Valid = Option<SecretString>;

    fn validate(self, _violations: &mut Violations) -> Option<Option<SecretString>> {
        Some(self.refresh_token)
    }
}

/// The resource `tokens` of the HTTP contract. Tokens that went to cookies are absent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokensView {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    refresh_expires_in: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionView {
    id: SessionId,
    #[serde(with = "as_rfc3339")]
    expires_at: Timestamp,
}

/// The `login result` of the HTTP contract; without the session, the answer to a refresh.
#[derive(Serialize)]
pub(super) struct SignedInView {
    user: UserView,
    tokens: TokensView,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionView>,
    #[serde(rename = "deviceToken", skip_serializing_if = "Option::is_none")]
    device_token: Option<String>,
}

/// What a right password leads to.
pub(super) enum Outcome {
    /// A session.
    SignedIn(Box<SignedIn>),
    /// A question.
    Challenged(Challenged),
}

/// Somebody who has to show more than a password.
pub(super) struct Challenged {
    pub(super) token: MfaToken,
    pub(super) methods: Vec<Method>,
}

/// The `login result` of the HTTP contract where a second factor is due.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChallengedView {
    mfa_required: bool,
    mfa_token: String,
    methods: Vec<Method>,
    expires_in: i64,
}

impl From<Challenged> for ChallengedView {
    fn from(challenged: Challenged) -> Self {
        Self {
            mfa_required: true,
            mfa_token: challenged.token.expose().to_owned(),
            methods: challenged.methods,
            expires_in: mfa::LIFETIME.num_seconds(),
        }
    }
}

/// Somebody who has signed in, or stays signed in. Becomes an answer by [`Delivery`](super::cookies::Delivery).
pub(super) struct SignedIn {
    pub(super) access: AccessToken,
    pub(super) refresh_token: SecretString,
    /// Seconds from now until the session ends if it is not refreshed.
    pub(super) refresh_expires_in: i64,
    /// What the device is given, where somebody has just signed in with it.
    pub(super) device: Option<Handout>,
    user: User,
    session: Option<SessionView>,
}

impl SignedIn {
    /// Somebody who stays signed in.
    pub(super) fn again(
        user: User,
        session: &Session,
        access: AccessToken,
        refresh_token: SecretString,
        now: Timestamp,
    ) -> Self {
        Self {
            access,
            refresh_token,
            refresh_expires_in: (session.expires_at - now).num_seconds(),
            device: None,
            user,
            session: None,
        }
    }

    /// Somebody who has just signed in.
    pub(super) fn newly(user: User, entrance: Entrance, access: AccessToken, now: Timestamp) -> Self {
        let Opened {
            session,
            refresh_token,
        } = entrance.opened;
        Self {
            device: Some(entrance.device),
            session: Some(SessionView {
                id: session.id,
                expires_at: session.expires_at,
            }),
            ..Self::again(user, &session, access, refresh_token, now)
        }
    }

    /// The body of the answer: with the tokens, and with that of the device, or without.
    pub(super) fn into_view(self, with_tokens: bool, with_device: bool) -> SignedInView {
        let device = self.device.filter(|_| with_device);
        SignedInView {
            device_token: device.map(|device| device.token.expose().to_owned()),
            user: self.user.into(),
            tokens: TokensView {
                token_type: with_tokens.then_some("Bearer"),
                expires_in: self.access.expires_in,
                refresh_expires_in: self.refresh_expires_in,
                access_token: with_tokens.then_some(self.access.token),
                refresh_token: with_tokens.then(|| self.refresh_token.expose_secret().to_owned()),
            },
            session: self.session,
        }
    }
}

/// The answer to `GET /auth/me`.
#[derive(Serialize)]
pub(super) struct Me {
    pub(super) user: UserView,
}
