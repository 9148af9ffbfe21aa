//! Access tokens made by the tests: of a key that the system trusts, and of one that it does not.

use std::sync::LazyLock;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, Mac as _};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::rand_core::OsRng;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::OnceCell;

use crate::account::{Account, decode};
use crate::own_stack::portcullis;
use crate::world::{Door, state};
use crate::{eventually, fresh_id};

/// Somebody who signs tokens.
#[derive(Debug)]
pub struct Issuer {
    kid: String,
    private: RsaPrivateKey,
    key: SigningKey<Sha256>,
}

impl Issuer {
    /// Makes up a key of 2048 bits, which nobody knows yet.
    ///
    /// # Panics
    ///
    /// When the system has no randomness.
    #[must_use]
    pub fn unknown() -> Self {
        let private = RsaPrivateKey::new(&mut OsRng, 2048).unwrap();
        let key = SigningKey::new(private.clone());
        Self {
            kid: format!("test-{}", fresh_id().simple()),
            private,
            key,
        }
    }

    /// The name of the key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The private key as PKCS#8 PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.private.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
    }

    /// The public modulus, big-endian: what somebody who confuses algorithms might take for an HMAC key.
    #[must_use]
    pub fn modulus(&self) -> Vec<u8> {
        self.private.n().to_bytes_be()
    }

    /// The public key as SPKI PEM: the other thing that might be taken for one.
    #[must_use]
    pub fn public_pem(&self) -> String {
        self.private
            .to_public_key()
            .to_public_key_pem(LineEnding::LF)
            .unwrap()
    }

    /// A token with the header that access tokens have.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.token_with_header(&json!({"alg": "RS256", "typ": "at+jwt", "kid": self.kid}), claims)
    }

    /// A token with any header, signed with RS256 whatever the header says.
    #[must_use]
    pub fn token_with_header(&self, header: &Value, claims: &Value) -> String {
        let input = signing_input(header, claims);
        let signature = Base64UrlUnpadded::encode_string(&self.key.sign(input.as_bytes()).to_bytes());
        format!("{input}.{signature}")
    }
}

/// Header and claims as they are signed.
#[must_use]
pub fn signing_input(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

/// HMAC-SHA256, for a token that claims to be signed with a shared secret.
///
/// # Panics
///
/// Never: HMAC takes keys of any length.
#[must_use]
pub fn hmac_sha256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// An issuer that nobody trusts.
///
/// An end that meets an unknown key asks for the key set, and then not again for a while. So the trusted key is
/// made known first, and tests that need it do not wait.
pub async fn stranger() -> &'static Issuer {
    static STRANGER: LazyLock<Issuer> = LazyLock::new(Issuer::unknown);
    trusted().await;
    &STRANGER
}

/// An issuer whose key was imported into the shared system with `portcullis keys import`, and is known to both ends.
///
/// # Panics
///
/// When the import fails, or the edge does not learn of the key in time.
pub async fn trusted() -> &'static Issuer {
    static TRUSTED: OnceCell<Issuer> = OnceCell::const_new();
    TRUSTED
        .get_or_init(async || {
            let issuer = Issuer::unknown();
            let file = state().join(format!("{}.pem", issuer.kid()));
            std::fs::write(&file, issuer.pem()).unwrap();
            let imported = portcullis(
                &state(),
                &["keys", "import", file.to_str().unwrap(), "--kid", issuer.kid()],
            )
            .await;
            assert!(imported.status.success(), "{imported:?}");
            let account = Account::register(&Door::origin()).await;
            let token = issuer.token(&claims_for(&account));
            // Both ends ask for unknown keys at most every 30 s, and other tests use unknown keys as well.
            for (door, path) in [(Door::origin(), "/auth/me"), (Door::edge(), "/api/echo")] {
                let client = door.client();
                eventually(
                    "the imported key is trusted",
                    Duration::from_secs(100),
                    async || {
                        let answer = client.get(path).bearer(&token).send().await;
                        (answer.status == 200).then_some(())
                    },
                )
                .await;
            }
            issuer
        })
        .await
}

/// Claims like those of the account's own access token.
#[must_use]
pub fn claims_for(account: &Account) -> Value {
    let (_, claims) = decode(account.access_token());
    claims
}
