//! Builds tokens from raw parts, so that a vector can be wrong in exactly one way.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::sha2::{Digest as _, Sha256, Sha512};
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};

pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const AUDIENCE: &str = "example-api";
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const LEEWAY: i64 = 5;
pub(crate) const KID: &str = "signer-2048";
pub(crate) const HEADER: &str = r#"{"alg":"RS256","typ":"at+jwt","kid":"signer-2048"}"#;

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The members of a JSON object in a fixed order, each value as raw JSON.
#[derive(Clone)]
pub(crate) struct Members(Vec<(&'static str, String)>);

impl Members {
    pub(crate) fn set(&self, name: &'static str, json: &str) -> Self {
        let mut members = self.clone();
        match members.0.iter_mut().find(|(own, _)| *own == name) {
            Some((_, value)) => json.clone_into(value),
            None => members.0.push((name, json.to_owned())),
        }
        members
    }

    pub(crate) fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(own, _)| *own != name).cloned().collect())
    }

    pub(crate) fn json(&self) -> String {
        let members: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

pub(crate) fn header() -> Members {
    Members(vec![
        ("alg", "\"RS256\"".to_owned()),
        ("typ", "\"at+jwt\"".to_owned()),
        ("kid", format!("\"{KID}\"")),
    ])
}

pub(crate) fn claims() -> Members {
    Members(vec![
        ("iss", format!("\"{ISSUER}\"")),
        ("aud", format!("\"{AUDIENCE}\"")),
        ("sub", "\"018f4d6e-7a31-7c44-9c1f-1d1f6f1a2b3c\"".to_owned()),
        ("exp", (NOW + 900).to_string()),
        ("iat", NOW.to_string()),
        ("jti", "\"018f4d6e-7a31-7c44-9c1f-000000000001\"".to_owned()),
        ("client_id", "\"web\"".to_owned()),
        ("sid", "\"018f4d6e-7a31-7c44-9c1f-000000000002\"".to_owned()),
        ("tenant_id", "\"00000000-0000-0000-0000-000000000001\"".to_owned()),
        ("role", "\"customer\"".to_owned()),
        (
            "permissions",
            r#"["tickets:purchase","profile:update-own"]"#.to_owned(),
        ),
        (
            "venues",
            r#"{"018f4d6e-7a31-7c44-9c1f-000000000003":["door-staff","box-office"]}"#.to_owned(),
        ),
        ("auth_time", (NOW - 60).to_string()),
        ("amr", r#"["pwd"]"#.to_owned()),
        ("acr", "\"aal1\"".to_owned()),
    ])
}

/// A private key and what can be made with it.
pub(crate) struct Mint {
    key: RsaPrivateKey,
}

impl Mint {
    pub(crate) fn signer() -> Self {
        Self::from_pem(include_str!("../../tests/keys/signer.pem"))
    }

    pub(crate) fn stranger() -> Self {
        Self::from_pem(include_str!("../../tests/keys/stranger.pem"))
    }

    fn from_pem(pem: &str) -> Self {
        Self {
            key: RsaPrivateKey::from_pkcs8_pem(pem).expect("the committed key is PKCS#8"),
        }
    }

    pub(crate) fn modulus(&self) -> Vec<u8> {
        self.key.n().to_bytes_be()
    }

    pub(crate) fn jwk(&self, kid: &str) -> String {
        format!(
            r#"{{"kty":"RSA","kid":"{kid}","use":"sig","alg":"RS256","n":"{}","e":"AQAB"}}"#,
            b64(self.modulus())
        )
    }

    pub(crate) fn public_pem(&self) -> String {
        RsaPublicKey::from(&self.key)
            .to_public_key_pem(LineEnding::LF)
            .expect("a public key has a PEM form")
    }

    pub(crate) fn public_der_base64(&self) -> String {
        let der = RsaPublicKey::from(&self.key)
            .to_public_key_der()
            .expect("a public key has a DER form");
        STANDARD.encode(der.as_bytes())
    }

    /// RS256.
    pub(crate) fn signature(&self, input: &str) -> Vec<u8> {
        self.raw_signature(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(input))
    }

    /// RS512.
    pub(crate) fn sha512_signature(&self, input: &str) -> Vec<u8> {
        self.raw_signature(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(input))
    }

    /// PKCS#1 padding around the bare digest, without its algorithm identifier.
    pub(crate) fn unprefixed_signature(&self, input: &str) -> Vec<u8> {
        self.raw_signature(Pkcs1v15Sign::new_unprefixed(), &Sha256::digest(input))
    }

    fn raw_signature(&self, scheme: Pkcs1v15Sign, digest: &[u8]) -> Vec<u8> {
        self.key
            .sign(scheme, digest)
            .expect("the key is large enough for the digest")
    }

    /// The RS256 signature plus the modulus: the same residue, another number. `None` where it takes a byte more.
    pub(crate) fn shifted_signature(&self, input: &str) -> Option<Vec<u8>> {
        let shifted = BigUint::from_bytes_be(&self.signature(input)) + self.key.n();
        let bytes = shifted.to_bytes_be();
        (bytes.len() == self.key.size()).then_some(bytes)
    }

    pub(crate) fn token(&self, header: &str, claims: &str) -> String {
        self.token_of_bytes(header.as_bytes(), claims.as_bytes())
    }

    pub(crate) fn token_of_bytes(&self, header: &[u8], claims: &[u8]) -> String {
        self.sign(&format!("{}.{}", b64(header), b64(claims)))
    }

    pub(crate) fn sign(&self, input: &str) -> String {
        format!("{input}.{}", b64(self.signature(input)))
    }
}

pub(crate) fn hs256(input: &str, secret: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a secret of any length");
    mac.update(input.as_bytes());
    format!("{input}.{}", b64(mac.finalize().into_bytes()))
}
