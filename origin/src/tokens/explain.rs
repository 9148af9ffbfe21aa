//! `portcullis token explain`: what each step of the verification has to say about a token.

use portcullis_shared::claims::AccessClaims;
use portcullis_shared::error::TokenError;
use portcullis_shared::jws::CompactJws;
use portcullis_shared::token::UnverifiedToken;

use crate::kernel::db::Pool;
use crate::kernel::ids::{SessionId, TenantId, UserId};
use crate::kernel::time::Timestamp;
use crate::sessions;

use super::{Tokens, TokensError};

/// One step of the verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A compact JWS whose header is acceptable.
    Jws,
    /// An access token by its type, with claims that are JSON.
    Token,
    /// Signed by a key of the key set.
    Signature,
    /// Claims complete, meant for us, and timely.
    Claims,
    /// The session is live and the account active.
    Session,
}

impl Step {
    /// What the step looks at, for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jws => "form and header",
            Self::Token => "type and payload",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Session => "session",
        }
    }
}

/// The verification of one token, step by step.
#[derive(Debug)]
pub struct Explanation {
    /// The steps that were passed, in order.
    pub passed: Vec<Step>,
    /// The step that refused the token, and why; `None` for a good token.
    pub refused: Option<(Step, TokensError)>,
    /// The claims, if they could be believed.
    pub claims: Option<AccessClaims>,
}

/// Verifies `token` as a request would, and says how far it gets.
pub async fn explain(tokens: &Tokens, pool: &Pool, token: &str, now: Timestamp) -> Explanation {
    let mut explanation = Explanation {
        passed: Vec::new(),
        refused: None,
        claims: None,
    };
    if let Err((step, error)) = walk(tokens, pool, token, now, &mut explanation).await {
        explanation.refused = Some((step, error));
    }
    explanation
}

async fn walk(
    tokens: &Tokens,
    pool: &Pool,
    token: &str,
    now: Timestamp,
    explanation: &mut Explanation,
) -> Result<(), (Step, TokensError)> {
    let at = |step: Step| move |error: TokenError| (step, TokensError::from(error));
    CompactJws::parse(token).map_err(at(Step::Jws))?;
    explanation.passed.push(Step::Jws);
    let token = UnverifiedToken::parse(token).map_err(at(Step::Token))?;
    explanation.passed.push(Step::Token);

    let ring = tokens
        .0
        .ring
        .seeking(token.kid(), now)
        .await
        .map_err(|error| (Step::Signature, error.into()))?;
    let key = ring
        .verifying(token.kid())
        .ok_or(TokenError::unknown_key())
        .map_err(at(Step::Signature))?;
    let verified = key.verify(token).map_err(at(Step::Signature))?;
    explanation.passed.push(Step::Signature);
    let claims = verified
        .check(&tokens.0.expectations, now.timestamp())
        .map_err(at(Step::Claims))?;
    explanation.passed.push(Step::Claims);

    let identifiers = (claims.sid.parse(), claims.tenant_id.parse(), claims.sub.parse());
    explanation.claims = Some(claims);
    let session = |error: TokensError| (Step::Session, error);
    let (Ok(sid), Ok(tenant), Ok(sub)): (Result<SessionId, _>, Result<TenantId, _>, Result<UserId, _>) =
        identifiers
    else {
        return Err(session(TokensError::SessionOver));
    };
    let mut connection = pool.acquire().await.map_err(|error| session(error.into()))?;
    sessions::find_live(&mut connection, sid, tenant, sub, now)
        .await
        .map_err(|error| session(error.into()))?
        .ok_or_else(|| session(TokensError::SessionOver))?;
    explanation.passed.push(Step::Session);
    Ok(())
}
