//! HTTP message signatures (RFC 9421) between the edge and the origin: HMAC-SHA256, tag `portcullis-edge` on what the
//! edge forwards and `portcullis-edge-own` on what it asks by itself.
//!
//! Invariants: both ends build the signature base with the same function; a request is signed over its method,
//! authority, path, query and every header of [`SIGNED_HEADERS`] that it has, so none of them can be added,
//! removed or changed on the way; a signature lives at most [`LIFETIME_SECONDS`]. The tag is signed too, so that a
//! forwarded request never passes for one of the edge's own. The body is not covered: it is streamed, and not known
//! when the headers leave. Field values come from an HTTP library and hold no line breaks.

mod base;
mod verify;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::identity;
pub use verify::{RequestSignatureError, SignatureParameters, verify};

/// In whose name the edge signs a request; the `tag` of the signature (RFC 9421 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody's request that the edge passes on, or asks in that caller's name.
    Forwarded,
    /// A request of the edge itself, which nobody from outside can cause to look like this.
    Own,
}

impl Purpose {
    const ALL: [Self; 2] = [Self::Forwarded, Self::Own];

    const fn tag(self) -> &'static str {
        match self {
            Self::Forwarded => "portcullis-edge",
            Self::Own => "portcullis-edge-own",
        }
    }
}

/// The headers a signature covers where the request has them, in the order it names them: the identity headers, and
/// the credential itself.
pub const SIGNED_HEADERS: [&str; identity::HEADERS.len() + 1] = {
    let [
        subject,
        tenant,
        session,
        role,
        permissions,
        venue_roles,
        acr,
        revocations_age,
        shadow,
        client_ip,
    ] = identity::HEADERS;
    [
        subject,
        tenant,
        session,
        role,
        permissions,
        venue_roles,
        acr,
        revocations_age,
        shadow,
        client_ip,
        "authorization",
    ]
};

/// How long a signature is good for, in seconds after `created`.
pub const LIFETIME_SECONDS: i64 = 30;
/// How far ahead of ours the signer's clock may be, in seconds.
pub const CLOCK_SKEW_SECONDS: i64 = 5;

const LABEL: &str = "edge";
const ALGORITHM: &str = "hmac-sha256";
const MIN_SECRET_BYTES: usize = 32;
const BLOCK_BYTES: usize = 64;

/// The parts of a request that a signature covers.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// `Host`: name, and port where it is not the scheme's own.
    pub authority: &'a str,
    /// The path, as sent.
    pub path: &'a str,
    /// The query without its `?`; `None` where there is none.
    pub query: Option<&'a str>,
    /// The headers, names in lower case. Those that are not in [`SIGNED_HEADERS`] are not looked at.
    pub headers: &'a [(&'a str, &'a str)],
}

/// Without the query and the headers, which may hold credentials.
impl fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest")
            .field("method", &self.method)
            .field("authority", &self.authority)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A secret that edge and origin share, and the name it goes by.
#[derive(Clone)]
pub struct SigningKey {
    /// The name, sent with each signature.
    pub keyid: String,
    /// The secret, zero-padded to HMAC's block as RFC 2104 §2 has it.
    block: Zeroizing<[u8; BLOCK_BYTES]>,
}

/// Why a signing key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// The name is empty, longer than 64 characters, or holds others than letters, digits, `.`, `_` and `-`.
    #[error("a signing key's id is 1 to 64 letters, digits, dots, underscores or hyphens")]
    KeyId,
    /// HMAC-SHA256 is as strong as its key up to 32 bytes, and hashes one that is longer than 64.
    #[error("a signing key's secret is 32 to 64 bytes")]
    SecretLength,
}

impl SigningKey {
    /// A key named `keyid` with a secret of 32 to 64 bytes.
    pub fn new(keyid: impl Into<String>, secret: &[u8]) -> Result<Self, SigningKeyError> {
        let keyid = keyid.into();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if keyid.is_empty() || keyid.len() > 64 || !keyid.bytes().all(is_name) {
            return Err(SigningKeyError::KeyId);
        }
        let mut block = Zeroizing::new([0; BLOCK_BYTES]);
        match block.get_mut(..secret.len()) {
            Some(start) if secret.len() >= MIN_SECRET_BYTES => start.copy_from_slice(secret),
            Some(_) | None => return Err(SigningKeyError::SecretLength),
        }
        Ok(Self { keyid, block })
    }

    /// The MAC of a text. Signature bases begin with `"@method"` or `"@status"`, so nothing else that is made under
    /// this key may begin with a quotation mark.
    pub(crate) fn mac(&self, base: &str) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*self.block).into());
        mac.update(base.as_bytes());
        mac
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("keyid", &self.keyid)
            .finish_non_exhaustive()
    }
}

/// The two headers a signature travels in (RFC 9421 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// `Signature-Input`: what is covered, and how.
    pub signature_input: String,
    /// `Signature`: the MAC.
    pub signature: String,
}

/// Signs a request that the edge forwards. `nonce` is base64url or a UUID, unique to the request (characters outside
/// `A-Z a-z 0-9 _ -` are left out); `created` is now, in seconds since the epoch.
#[must_use]
pub fn sign(request: &SignedRequest<'_>, key: &SigningKey, nonce: &str, created: i64) -> SignatureHeaders {
    sign_for(Purpose::Forwarded, request, key, nonce, created)
}

/// Signs a request of the edge itself, as [`sign`] does others.
#[must_use]
pub fn sign_own(
    request: &SignedRequest<'_>,
    key: &SigningKey,
    nonce: &str,
    created: i64,
) -> SignatureHeaders {
    sign_for(Purpose::Own, request, key, nonce, created)
}

fn sign_for(
    purpose: Purpose,
    request: &SignedRequest<'_>,
    key: &SigningKey,
    nonce: &str,
    created: i64,
) -> SignatureHeaders {
    let nonce: String = nonce
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        .collect();
    let covered = base::components(request);
    let parameters = format!(
        "({names});created={created};expires={expires};nonce=\"{nonce}\";keyid=\"{keyid}\";alg=\"{ALGORITHM}\";tag=\"{tag}\"",
        names = base::quoted(&covered),
        expires = created.saturating_add(LIFETIME_SECONDS),
        keyid = key.keyid,
        tag = purpose.tag(),
    );
    let mac = key
        .mac(&base::signature_base(request, &covered, &parameters))
        .finalize()
        .into_bytes();
    SignatureHeaders {
        signature_input: format!("{LABEL}={parameters}"),
        signature: format!("{LABEL}=:{}:", STANDARD.encode(mac)),
    }
}
