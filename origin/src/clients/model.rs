//! What a service client is told about a token (RFC 7662 §2.2).

use portcullis_shared::claims::AccessClaims;
use serde::Serialize;

use crate::kernel::ids::{SessionId, TenantId, UserId};
use crate::sessions::Inspection;
use crate::tokens::{Authenticated, CLIENT_ID};

/// The answer of an introspection.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Introspection {
    /// An access token that is good.
    Access(Box<ActiveAccess>),
    /// A refresh token that would be answered.
    Refresh(ActiveRefresh),
    /// Anything else.
    Inactive(Inactive),
}

/// The claims as the token has them. `scope` is not among them: no client was granted any.
#[derive(Serialize)]
pub(super) struct ActiveAccess {
    active: bool,
    token_type: &'static str,
    #[serde(flatten)]
    claims: AccessClaims,
}

/// Times are seconds since the epoch, as in claims.
#[derive(Serialize)]
pub(super) struct ActiveRefresh {
    active: bool,
    token_type: &'static str,
    iss: String,
    sub: UserId,
    sid: SessionId,
    tenant_id: TenantId,
    client_id: &'static str,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct Inactive {
    active: bool,
}

impl Introspection {
    /// `{"active": false}`, and nothing else.
    pub(super) fn inactive() -> Self {
        Self::Inactive(Inactive { active: false })
    }

    /// What a good access token says.
    pub(super) fn of_access(authenticated: Authenticated) -> Self {
        Self::Access(Box::new(ActiveAccess {
            active: true,
            token_type: "Bearer",
            claims: authenticated.claims,
        }))
    }

    /// What is known about an active refresh token.
    pub(super) fn of_refresh(inspection: &Inspection, issuer: &str) -> Self {
        Self::Refresh(ActiveRefresh {
            active: true,
            token_type: "refresh_token",
            iss: issuer.to_owned(),
            sub: inspection.owner.user_id,
            sid: inspection.owner.session_id,
            tenant_id: inspection.owner.tenant_id,
            client_id: CLIENT_ID,
            exp: inspection.good_until.timestamp(),
            iat: inspection.issued_at().map(|moment| moment.timestamp()),
        })
    }
}
