//! Access tokens: made from a session, believed only after a signature, and published so that others can.
//!
//! Invariants:
//! - One key signs at a time, and the database says which; every key that a live token may have been signed
//!   with is in the key set.
//! - A private key leaves the database sealed and lives in memory parsed; it is never written anywhere. That of a
//!   removed key is gone.
//! - A key goes from `next` to `active` to `retired` to `removed`, and never back. Whoever moves one holds the lock
//!   on the row of `key_set`, so that each step is taken once; but for the removal of keys whose tokens have all
//!   expired, which one statement does for whoever comes first.
//! - A key that comes into the key set, or is taken out by hand, counts its version up. After one was taken out before
//!   its time, verifiers must not use an older version.
//! - Verification is the shared crate's: strict parser, signature, claims, in this order. After it, the session
//!   must be live, the account active and the token not outdated, in one query; only then is there a [`CurrentUser`].
//! - A request has one credential: a bearer token, or the cookies of a browser. Cookies are believed only where the
//!   request is known to come from our own pages; see [`guard`].
//! - A client learns that its token is bad, and whether it has expired; the log learns why.

mod credential;
mod csrf;
mod current_user;
mod error;
mod explain;
mod keyring;
pub mod keys;
mod model;
mod rewrap;
mod rotation;
mod routes;
mod schedule;
mod signing_key;
mod store;
mod venues;

use std::sync::Arc;

pub use credential::Credential;
pub use csrf::{CsrfKeyError, CsrfTokens, guard};
pub use current_user::{CurrentUser, FreshUser, RecentUser};
pub use error::{KeysError, TokensError};
pub use explain::Explanation;
pub use keyring::PublishedSet;
pub use model::{AccessToken, Authenticated, KeyState, KeySummary};
pub use rewrap::{count_sealed_elsewhere, rewrap};
pub use rotation::{KeyKeeper, Removal, Rotation, Upkeep, key_set_version};
pub use routes::router;
pub use signing_key::{SigningKey, SigningKeyError};

use portcullis_shared::claims::{AccessClaims, Audience, Expectations};
use portcullis_shared::error::TokenError;
use portcullis_shared::token::UnverifiedToken;

use crate::accounts::User;
use crate::kernel::config::TokensConfig;
use crate::kernel::db::Pool;
use crate::kernel::ids::{SessionId, TenantId, TokenId, UserId};
use crate::kernel::random::Entropy;
use crate::kernel::secrets::MasterKey;
use crate::kernel::time::{TimeDelta, Timestamp};
use crate::rbac::HeldRoles;
use crate::sessions::{self, Session};

use keyring::KeyRing;

/// The `client_id` of tokens that are made by signing in here (RFC 9068 §2.2).
pub const CLIENT_ID: &str = "portcullis";

/// Makes and verifies access tokens. Cloning shares the keys.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    ring: KeyRing,
    keeper: KeyKeeper,
    pool: Pool,
    master: MasterKey,
    rsa_bits: u32,
    expectations: Expectations,
    access_ttl: TimeDelta,
}

impl Tokens {
    /// Reads no key yet: Postgres need not be there.
    #[must_use]
    pub fn new(config: &TokensConfig, pool: Pool, master: MasterKey) -> Self {
        Self(Arc::new(Inner {
            ring: KeyRing::new(pool.clone(), master.clone()),
            keeper: KeyKeeper::new(config, pool.clone(), master.clone()),
            pool,
            master,
            rsa_bits: config.rsa_bits,
            expectations: Expectations::new(&config.issuer, &config.audience),
            access_ttl: config.access_ttl,
        }))
    }

    /// Makes sure that there is an active signing key; makes one if there is none. For the start of the server.
    pub async fn prepare(&self, now: Timestamp, entropy: &dyn Entropy) -> Result<(), KeysError> {
        if self.0.ring.reread(now).await?.active()?.is_none() {
            keys::make_first(&self.0.pool, &self.0.master, self.0.rsa_bits, now, entropy).await?;
            self.0.ring.reread(now).await?;
        }
        Ok(())
    }

    /// An access token for this session, made at the moment `now` and issued for the one at which the roles at venues are `held`. It
    /// names these, as far as a cookie has room for them, and expires no later than they do.
    pub async fn issue(
        &self,
        user: &User,
        session: &Session,
        held: HeldRoles,
        now: Timestamp,
        id: TokenId,
        entropy: &dyn Entropy,
    ) -> Result<AccessToken, KeysError> {
        let mut ring = self.0.ring.current(now).await?;
        if ring.active()?.is_none() {
            self.prepare(now, entropy).await?;
            ring = self.0.ring.current(now).await?;
        }
        let key = ring.active()?.ok_or(KeysError::NotMade)?;
        let issued_at = held.moment.timestamp();
        // A token that outlived its session, or a role that it names, could not be revoked: what has run out is not told
        // to the edge.
        let expires_at = (issued_at + self.0.access_ttl.num_seconds())
            .min(session.expires_at.timestamp())
            .min(held.expires_at.map_or(i64::MAX, |moment| moment.timestamp()));
        let authentication = &session.authentication;
        let mut claims = AccessClaims {
            iss: self.0.expectations.issuer.clone(),
            aud: Audience::One(self.0.expectations.audience.clone()),
            sub: user.id.to_string(),
            exp: expires_at,
            iat: issued_at,
            nbf: None,
            jti: id.to_string(),
            client_id: Some(CLIENT_ID.to_owned()),
            sid: session.id.to_string(),
            tenant_id: session.tenant_id.to_string(),
            role: Some(user.role.as_str().to_owned()),
            permissions: user.role.permissions().iter().map(ToString::to_string).collect(),
            venues: held.venues,
            venues_truncated: held.truncated,
            auth_time: Some(authentication.time.timestamp()),
            amr: authentication.amr.clone(),
            acr: Some(authentication.acr.as_str().to_owned()),
        };
        venues::fit(&mut claims, key);
        Ok(AccessToken {
            token: key.sign(&claims)?,
            expires_in: expires_at - issued_at,
        })
    }

    /// What a token says, if it is one of ours and good at `now`. Says nothing about its session.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokensError> {
        let token = UnverifiedToken::parse(token)?;
        let ring = self.0.ring.seeking(token.kid(), now).await?;
        let key = ring.verifying(token.kid()).ok_or(TokenError::unknown_key())?;
        Ok(key.verify(token)?.check(&self.0.expectations, now.timestamp())?)
    }

    /// Whose token this is, if it is good at `now` in every respect: signature and claims, and then, in one query, a
    /// live session of an active account. Whoever believes a token, believes it by this function.
    pub async fn authenticate(&self, token: &str, now: Timestamp) -> Result<Authenticated, TokensError> {
        let claims = self.verify(token, now).await?;
        let (session, tenant, user) = identifiers(&claims).ok_or(TokensError::SessionOver)?;
        let mut connection = self.0.pool.acquire().await?;
        let live = sessions::find_live(&mut connection, session, tenant, user, now)
            .await?
            .ok_or(TokensError::SessionOver)?;
        if is_outdated(&claims, &live.user) {
            return Err(TokensError::Outdated);
        }
        Ok(Authenticated { claims, live })
    }

    /// The public keys that verifiers need.
    pub async fn key_set(&self, now: Timestamp) -> Result<PublishedSet, KeysError> {
        Ok(self.0.ring.current(now).await?.published().clone())
    }

    /// The same for a verifier that lacks something: the key `kid`, or the keys as of `version`; and whether the set has
    /// it. Where this replica lacks it too, it asks the database, but no more than once a second.
    async fn key_set_with(
        &self,
        kid: Option<&str>,
        version: u64,
        now: Timestamp,
    ) -> Result<(PublishedSet, bool), KeysError> {
        let ring = &self.0.ring;
        let sought = match kid {
            Some(kid) => ring
                .seeking(kid, now)
                .await
                .and(ring.at_least(version, now).await),
            None => ring.at_least(version, now).await,
        };
        let ring = match sought {
            Ok(ring) => ring,
            // What is in memory is better than nothing, and says of itself how new it is.
            Err(_not_read) => ring.current(now).await?,
        };
        let has_it = ring.version() >= version && kid.is_none_or(|kid| ring.verifying(kid).is_some());
        Ok((ring.published().clone(), has_it))
    }

    /// Does what the schedule of the signing keys asks for at `now`: publishes the next key ahead of time, lets it
    /// sign when it is due, and removes retired keys. For a duty that runs every few minutes, on any replica.
    pub async fn rotate_if_due(&self, now: Timestamp, entropy: &dyn Entropy) -> Result<Upkeep, KeysError> {
        let done = self.0.keeper.rotate_if_due(now, entropy).await?;
        for kid in &done.removed {
            tracing::info!(kid, "removed a signing key whose tokens have all expired");
        }
        if let Some(rotation) = &done.rotation {
            match rotation {
                Rotation::Published { kid, .. } => tracing::info!(kid, "published the next signing key"),
                Rotation::Activated { kid, .. } => tracing::info!(kid, "another key signs from now on"),
                Rotation::Waiting { .. } => {}
            }
            self.0.ring.reread(now).await?;
        }
        Ok(done)
    }

    /// The `iss` claim: the URL under which clients know this installation.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.expectations.issuer
    }
}

/// The identifiers in a token's claims; `None` where one cannot be an identifier of ours.
fn identifiers(claims: &AccessClaims) -> Option<(SessionId, TenantId, UserId)> {
    Some((
        claims.sid.parse().ok()?,
        claims.tenant_id.parse().ok()?,
        claims.sub.parse().ok()?,
    ))
}

/// Whether what the token says of the account has changed since it was issued.
fn is_outdated(claims: &AccessClaims, user: &User) -> bool {
    user.tokens_not_before
        .is_some_and(|not_before| claims.iat < not_before.timestamp())
}
