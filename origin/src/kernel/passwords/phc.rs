//! The stored form of a hash: a PHC string of argon2id.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as PhcString, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Params, Version};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{HasherConfig, HasherError, PasswordHash};

/// Bytes of a tag. All hashes have this length.
const TAG_BYTES: usize = 32;

/// Highest cost of a stored hash: what a valid configuration could have asked for. A row that asks for more was
/// not written by this program.
const MAX_MEMORY_KIB: u32 = 1_048_576;
const MAX_ITERATIONS: u32 = 64;
const MAX_PARALLELISM: u32 = 64;

/// The result of argon2, compared in constant time.
#[derive(Clone, Default)]
pub(super) struct Tag(Zeroizing<[u8; TAG_BYTES]>);

impl Tag {
    pub(super) fn expose_mut(&mut self) -> &mut [u8] {
        &mut *self.0
    }

    pub(super) fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

/// A hash, taken apart.
pub(super) struct Phc {
    pub(super) params: Params,
    pub(super) salt: Vec<u8>,
    pub(super) tag: Tag,
}

impl Phc {
    /// A hash that is still to be computed, at the configured cost.
    pub(super) fn fresh(config: &HasherConfig, salt: &[u8; 16]) -> Result<Self, HasherError> {
        let params = Params::new(
            config.memory_kib,
            config.iterations,
            config.parallelism,
            Some(TAG_BYTES),
        )
        .map_err(|_| HasherError::Failed)?;
        Ok(Self {
            params,
            salt: salt.to_vec(),
            tag: Tag::default(),
        })
    }

    /// A hash that no password is known to match. Nobody computes it, so it costs nothing at start.
    pub(super) fn of_nobody(config: &HasherConfig) -> Result<Self, HasherError> {
        Self::fresh(config, &[0; 16])
    }

    /// Takes a stored hash apart. Refuses other algorithms, other tag lengths and absurd costs.
    pub(super) fn parse(stored: &PasswordHash) -> Result<Self, HasherError> {
        let phc = PhcString::new(stored.expose()).map_err(|_| HasherError::UnreadableHash)?;
        let is_current = phc.algorithm == ARGON2ID_IDENT && phc.version == Some(Version::V0x13.into());
        let params = Params::try_from(&phc).map_err(|_| HasherError::UnreadableHash)?;
        let affordable = params.m_cost() <= MAX_MEMORY_KIB
            && params.t_cost() <= MAX_ITERATIONS
            && params.p_cost() <= MAX_PARALLELISM;
        let (Some(salt), Some(output)) = (phc.salt, phc.hash) else {
            return Err(HasherError::UnreadableHash);
        };
        let tag = <[u8; TAG_BYTES]>::try_from(output.as_bytes()).map_err(|_| HasherError::UnreadableHash)?;
        if !is_current || !affordable {
            return Err(HasherError::UnreadableHash);
        }
        Ok(Self {
            params,
            salt: salt.as_ref().to_vec(),
            tag: Tag(Zeroizing::new(tag)),
        })
    }

    /// The PHC string.
    pub(super) fn to_hash(&self) -> Result<PasswordHash, HasherError> {
        let failed = |_| HasherError::Failed;
        // The output length shows in the tag; the parameter string names it only where it is unusual.
        let params = Params::new(
            self.params.m_cost(),
            self.params.t_cost(),
            self.params.p_cost(),
            None,
        )
        .map_err(|_| HasherError::Failed)?;
        let phc = PhcString {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(failed)?,
            salt: Some(Salt::new(&self.salt).map_err(|_| HasherError::Failed)?),
            hash: Some(Output::new(&*self.tag.0).map_err(|_| HasherError::Failed)?),
        };
        Ok(PasswordHash::from_stored(phc.to_string()))
    }
}
