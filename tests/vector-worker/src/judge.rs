//! The way from a case to a verdict, once for all backends.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_shared::claims::Expectations;
use portcullis_shared::error::TokenError;
use portcullis_shared::jwk::{Jwk, JwkError, JwkSet, RsaVerifyingKey};
use portcullis_shared::jws::CompactJws;
#[cfg(not(target_arch = "wasm32"))]
use portcullis_shared::signature::AwsLcKey;
use portcullis_shared::signature::ReferenceKey;
#[cfg(target_arch = "wasm32")]
use portcullis_shared::signature::WebCryptoKey;
use portcullis_shared::token::{UnverifiedToken, VerifiedToken};

use crate::case::{Case, Verdict};

/// What all backends have in common. Two of them never wait.
trait Backend: Sized {
    async fn prepare(key: &RsaVerifyingKey) -> Result<Self, JwkError>;
    async fn token(&self, token: UnverifiedToken<'_>) -> Result<VerifiedToken, TokenError>;
    async fn jws(&self, jws: &CompactJws<'_>) -> Result<(), TokenError>;
    async fn bytes(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError>;
}

macro_rules! backend {
    ($key:ty $(, $wait:tt)?) => {
        impl Backend for $key {
            async fn prepare(key: &RsaVerifyingKey) -> Result<Self, JwkError> {
                Self::new(key)$(.$wait)?
            }

            async fn token(&self, token: UnverifiedToken<'_>) -> Result<VerifiedToken, TokenError> {
                self.verify(token)$(.$wait)?
            }

            async fn jws(&self, jws: &CompactJws<'_>) -> Result<(), TokenError> {
                self.verify_jws(jws)$(.$wait)?
            }

            async fn bytes(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
                self.verify_bytes(message, signature)$(.$wait)?
            }
        }
    };
}

backend!(ReferenceKey);
#[cfg(not(target_arch = "wasm32"))]
backend!(AwsLcKey);
#[cfg(target_arch = "wasm32")]
backend!(WebCryptoKey, await);

/// The verdict of the `rsa` crate.
pub async fn by_reference(case: &Case) -> Verdict {
    judge::<ReferenceKey>(case).await
}

/// The verdict of aws-lc.
#[cfg(not(target_arch = "wasm32"))]
pub async fn by_aws_lc(case: &Case) -> Verdict {
    judge::<AwsLcKey>(case).await
}

/// The verdict of the host's `crypto.subtle`.
#[cfg(target_arch = "wasm32")]
pub async fn by_webcrypto(case: &Case) -> Verdict {
    judge::<WebCryptoKey>(case).await
}

async fn judge<B: Backend>(case: &Case) -> Verdict {
    verdict::<B>(case).await.unwrap_or_else(|refusal| refusal)
}

async fn verdict<B: Backend>(case: &Case) -> Result<Verdict, Verdict> {
    match case {
        Case::AccessToken {
            keys,
            issuer,
            audience,
            leeway_seconds,
            now,
            token,
        } => {
            let keys = JwkSet::parse(keys.as_bytes())?;
            let token = UnverifiedToken::parse(token)?;
            let key = keys.key(token.kid()).ok_or(TokenError::unknown_key())?;
            let verified = B::prepare(key).await?.token(token).await?;
            let expected = Expectations {
                issuer: issuer.clone(),
                audience: audience.clone(),
                leeway_seconds: *leeway_seconds,
            };
            Ok(Verdict::Token {
                claims: Box::new(verified.check(&expected, *now)?),
            })
        }
        Case::Jws { key, jws } => {
            let key = B::prepare(&read_key(key)?).await?;
            key.jws(&CompactJws::parse(jws)?).await?;
            Ok(Verdict::Signature)
        }
        Case::Signature {
            key,
            message,
            signature,
        } => {
            let key = B::prepare(&read_key(key)?).await?;
            let decode = |text| STANDARD.decode(text).map_err(|_| JwkError::NotAKey);
            key.bytes(&decode(message)?, &decode(signature)?).await?;
            Ok(Verdict::Signature)
        }
    }
}

/// Reads a key that may lack a `kid`, as the keys of public vectors do.
fn read_key(json: &str) -> Result<RsaVerifyingKey, JwkError> {
    let mut jwk: Jwk = serde_json::from_str(json).map_err(|_| JwkError::NotAKey)?;
    jwk.kid.get_or_insert_with(|| "vector".to_owned());
    RsaVerifyingKey::from_jwk(&jwk)
}
