//! What a factor's row keeps sealed.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret as _, SecretString};

use crate::kernel::ids::FactorId;
use crate::kernel::random::{self, Entropy};
use crate::kernel::secrets::{MasterKey, Sealed, SecretBytes, SecretsError};

/// Bytes of the secret that the app gets: as many as SHA-1 gives (RFC 4226 §4, R6).
const TOTP_LENGTH: usize = 20;
const CODE_KEY_LENGTH: usize = 32;

/// The secret of an app, and the key of its backup codes. Both belong to the row, so that they move to another master key with it.
pub(super) struct FactorSecrets(SecretBytes);

impl FactorSecrets {
    pub(super) fn generate(entropy: &dyn Entropy) -> Self {
        let bytes = random::bytes::<{ TOTP_LENGTH + CODE_KEY_LENGTH }>(entropy);
        Self(SecretBytes::new(bytes.to_vec()))
    }

    pub(super) fn seal(&self, master: &MasterKey, id: FactorId) -> Result<Sealed, SecretsError> {
        master.seal(self.0.expose(), &associated_data(id))
    }

    pub(super) fn open(master: &MasterKey, id: FactorId, sealed: &Sealed) -> Result<Self, SecretsError> {
        let bytes = master.open(sealed, &associated_data(id))?;
        Self::of(bytes).ok_or(SecretsError::DoesNotOpen)
    }

    /// `None`: these are not as many bytes as there have to be.
    pub(super) fn of(bytes: SecretBytes) -> Option<Self> {
        (bytes.expose().len() == TOTP_LENGTH + CODE_KEY_LENGTH).then_some(Self(bytes))
    }

    /// What the app is given.
    pub(super) fn totp(&self) -> &[u8] {
        self.0.expose().get(..TOTP_LENGTH).unwrap_or_default()
    }

    /// What is stored of a backup code.
    pub(super) fn digest(&self, code: &SecretString) -> [u8; 32] {
        let key = self.0.expose().get(TOTP_LENGTH..).unwrap_or_default();
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let mut digest = [0; 32];
        digest.copy_from_slice(hmac::sign(&key, code.expose_secret().as_bytes()).as_ref());
        digest
    }
}

/// Binds sealed secrets to their row, so that they do not open in another.
pub(super) fn associated_data(id: FactorId) -> String {
    format!("totp_factors/{id}")
}
