//! Errors as clients see them: `application/problem+json` (RFC 9457), one catalogue for edge and origin.
//!
//! Invariants: a `code` is stable and has one status and one title; `type` is derived from it; nothing about
//! the cause is told beyond what the caller put into `detail` and `errors`.

use serde::Serialize;

/// The media type of a [`Problem`].
pub const PROBLEM_CONTENT_TYPE: &str = "application/problem+json";

const TYPE_PREFIX: &str = "https://portcullis.dev/problems/";

macro_rules! catalogue {
    ($($(#[$doc:meta])+ $variant:ident = $code:literal, $status:literal, $title:literal;)+) => {
        /// What went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $($(#[$doc])+ $variant,)+
        }

        impl ProblemCode {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable `snake_case` name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)+
                }
            }

            /// A short summary, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)+
                }
            }
        }
    };
}

catalogue! {
    /// Not JSON, of the wrong type, or with characters that cannot be stored.
    MalformedRequest = "malformed_request", 400, "The request could not be read";
    /// A field is missing or breaks a rule; `errors` says which.
    ValidationFailed = "validation_failed", 400, "Some fields are missing or not valid";
    /// A path that edge and upstream could read differently.
    MalformedPath = "malformed_path", 400, "The path is not in its normal form";
    /// Credentials in two places.
    AmbiguousCredentials = "ambiguous_credentials", 400, "The request carries more than one credential";
    /// The new password is the current one.
    PasswordUnchanged = "password_unchanged", 400, "The new password is the current one";
    /// The link of a mail was used, has expired, or was followed by a newer one.
    InvalidOrExpiredToken = "invalid_or_expired_token", 400, "The link is not valid any more";
    /// `X-Tenant` names no tenant.
    UnknownTenant = "unknown_tenant", 400, "The tenant does not exist";
    /// No access token, or not a good one.
    InvalidToken = "invalid_token", 401, "The access token is missing or not valid";
    /// Wrong email or password.
    InvalidCredentials = "invalid_credentials", 401, "Email or password is wrong";
    /// The code is wrong.
    InvalidCode = "invalid_code", 401, "The code is wrong";
    /// The signature is not one of the key over a challenge of ours, or the challenge was used or has expired.
    InvalidSignature = "invalid_signature", 401, "The signature is not valid";
    /// No sign-in waits for a code by this token: it was answered, has expired, or ended with too many wrong codes.
    InvalidMfaToken = "invalid_mfa_token", 401, "The sign-in has to begin anew";
    /// Not a refresh token of ours, or expired, or of an ended session.
    InvalidRefreshToken = "invalid_refresh_token", 401, "The refresh token is not valid";
    /// A refresh token that had been replaced; its session is over.
    RefreshTokenReused = "refresh_token_reused", 401, "The refresh token was used before";
    /// The request signature of the edge did not verify.
    InvalidEdgeSignature = "invalid_edge_signature", 401, "The request signature is not valid";
    /// A factor has to be proved again (RFC 9470).
    StepUpRequired = "step_up_required", 401, "A recent, stronger sign-in is needed";
    /// Known, and not permitted.
    Forbidden = "forbidden", 403, "The request is not permitted";
    /// The origin answers the edge alone.
    EdgeRequired = "edge_required", 403, "Requests have to come through the edge";
    /// A request with session cookies that may have been made by another site.
    CsrfRejected = "csrf_rejected", 403, "The request may have been made by another site";
    /// The account is switched off.
    AccountDisabled = "account_disabled", 403, "The account is disabled";
    /// No such resource, or not for the caller to know of.
    NotFound = "not_found", 404, "There is nothing here";
    /// The resource does not know the verb; `Allow` names those it knows.
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here";
    /// The body did not arrive in time.
    RequestTimeout = "request_timeout", 408, "The request took too long to arrive";
    /// An account with this address exists.
    EmailTaken = "email_taken", 409, "The email address is taken";
    /// The address of the account is verified.
    AlreadyVerified = "already_verified", 409, "The email address is verified already";
    /// The account has a second factor.
    MfaAlreadyEnabled = "mfa_already_enabled", 409, "A second factor is enabled already";
    /// The account has none, or no set-up that waits for a code.
    MfaNotEnabled = "mfa_not_enabled", 409, "No second factor is enabled";
    /// The account has as many credentials of this kind as it may have.
    TooManyCredentials = "too_many_credentials", 409, "There are too many credentials";
    /// A body of undeclared length, where there is a limit.
    LengthRequired = "length_required", 411, "The length of the body has to be declared";
    /// A venue would be left without an owner.
    LastOwner = "last_owner", 409, "The venue would be left without an owner";
    /// The resource is in another version than the one that was to be changed.
    PreconditionFailed = "precondition_failed", 412, "The resource was changed meanwhile";
    /// A change that does not say which version it is made to.
    PreconditionRequired = "precondition_required", 428, "The request has to be conditional";
    /// The body is over the limit.
    PayloadTooLarge = "payload_too_large", 413, "The body is too large";
    /// The path and query are over the limit.
    UriTooLong = "uri_too_long", 414, "The address is too long";
    /// Not `application/json`.
    UnsupportedMediaType = "unsupported_media_type", 415, "The content type is not supported";
    /// Too many requests; `Retry-After` says when to come back.
    RateLimited = "rate_limited", 429, "Too many requests";
    /// Too many failed attempts on one account.
    AccountLocked = "account_locked", 429, "The account is locked for a while";
    /// The headers are over the limit.
    HeadersTooLarge = "headers_too_large", 431, "The headers are too large";
    /// A fault of ours.
    InternalError = "internal_error", 500, "Something went wrong";
    /// A verb the platform does not know.
    NotImplemented = "not_implemented", 501, "The method is not implemented";
    /// The upstream could not be reached or answered nonsense.
    BadGateway = "bad_gateway", 502, "The upstream could not be reached";
    /// More work is waiting than can be done in time.
    Overloaded = "overloaded", 503, "The service is busy";
    /// Something we depend on is away.
    Unavailable = "unavailable", 503, "The service is not available";
    /// The upstream did not answer in time.
    GatewayTimeout = "gateway_timeout", 504, "The upstream took too long";
}

/// A field that is missing or breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field, as the request spells it.
    pub field: String,
    /// The broken rule, stable; `required` for a missing field.
    pub code: String,
    /// For a person.
    pub message: String,
}

/// One occurrence of a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What went wrong.
    pub code: ProblemCode,
    /// This occurrence, for a person; the title speaks where nothing more can be said.
    pub detail: Option<String>,
    /// The id under which the cause was logged.
    pub request_id: String,
    /// The fields at fault.
    pub errors: Vec<FieldError>,
    /// The names of the limits that were exceeded (draft-ietf-httpapi-ratelimit-headers-11, problem type `quota-exceeded`).
    pub violated_policies: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'p> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'p str,
    code: &'static str,
    request_id: &'p str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'p [FieldError],
    #[serde(rename = "violated-policies", skip_serializing_if = "<[_]>::is_empty")]
    violated_policies: &'p [String],
}

impl Problem {
    /// A problem without detail.
    pub fn new(code: ProblemCode, request_id: impl Into<String>) -> Self {
        Self {
            code,
            detail: None,
            request_id: request_id.into(),
            errors: Vec::new(),
            violated_policies: Vec::new(),
        }
    }

    /// The response body.
    #[must_use]
    pub fn to_json(&self) -> String {
        let body = Body {
            r#type: format!("{TYPE_PREFIX}{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status(),
            detail: self.detail.as_deref().unwrap_or(self.code.title()),
            code: self.code.as_str(),
            request_id: &self.request_id,
            errors: &self.errors,
            violated_policies: &self.violated_policies,
        };
        // Strings and a number cannot fail to serialise.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldError, Problem, ProblemCode};

    #[test]
    fn a_problem_has_the_members_of_the_contract() {
        let mut problem = Problem::new(ProblemCode::ValidationFailed, "request-1");
        problem.errors.push(FieldError {
            field: "email".to_owned(),
            code: "required".to_owned(),
            message: "is \"missing\"".to_owned(),
        });
        assert_eq!(
            problem.to_json(),
            r#"{"type":"https://portcullis.dev/problems/validation_failed","title":"Some fields are missing or not valid","status":400,"detail":"Some fields are missing or not valid","code":"validation_failed","requestId":"request-1","errors":[{"field":"email","code":"required","message":"is \"missing\""}]}"#
        );
    }

    #[test]
    fn a_problem_without_errors_and_violated_policies_has_no_such_members() {
        let json = Problem::new(ProblemCode::NotFound, "r").to_json();
        assert!(!json.contains("errors") && !json.contains("violated"), "{json}");
    }

    #[test]
    fn violated_policies_are_spelled_as_the_draft_spells_them() {
        let mut problem = Problem::new(ProblemCode::RateLimited, "r");
        problem.violated_policies.push("login".to_owned());
        let json = problem.to_json();
        assert!(
            json.ends_with(r#""requestId":"r","violated-policies":["login"]}"#),
            "{json}"
        );
    }

    #[test]
    fn every_code_is_unique_and_every_status_an_error() {
        for (index, code) in ProblemCode::ALL.iter().enumerate() {
            assert!((400..600).contains(&code.status()), "{code:?}");
            assert!(
                ProblemCode::ALL
                    .iter()
                    .skip(index + 1)
                    .all(|other| other.as_str() != code.as_str())
            );
        }
    }
}
