//! Codes of authenticator apps (RFC 6238): SHA-1, six digits, half a minute.

use secrecy::{ExposeSecret as _, SecretString};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use totp_rs::{Algorithm, Builder, Secret};

use crate::kernel::time::Timestamp;
use crate::mfa::{MfaError, PresentedCode};

use super::secrets::FactorSecrets;

/// Seconds of a time step.
const STEP_SECONDS: u64 = 30;
/// How many steps a code may be early or late (RFC 6238 §5.2).
const TOLERATED: i64 = 1;
/// How many steps off a code is still recognised as one of another time: about two minutes.
const RECOGNISED: i64 = 4;

/// How far an app's clock differs from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The code was of a time that has gone by.
    Behind,
    /// The code is of a time to come.
    Ahead,
}

/// What a code is worth, but for whether it was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is that of a time step that is tolerated.
    Right { step: i64 },
    /// It is that of a step which is not far.
    Drifted { step: i64, drift: Drift },
    /// It is none of these.
    Wrong,
}

/// An app, as far as its codes are concerned.
pub(super) struct Totp(totp_rs::Totp);

impl Totp {
    /// `issuer` is what the app shows above the account's address.
    pub(super) fn new(secrets: &FactorSecrets, issuer: &str, email: &str) -> Result<Self, MfaError> {
        // A colon separates the two in the label of the URL.
        let issuer = issuer.replace(':', " ");
        let issuer = Some(issuer).filter(|issuer| !issuer.trim().is_empty());
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_skew(1)
            .with_step_duration(STEP_SECONDS)
            .with_secret(Secret::new(secrets.totp().into()))
            .with_account_name(email)
            .with_issuer(issuer)
            .build()
            .map_err(|_| MfaError::Totp)?;
        Ok(Self(totp))
    }

    /// The secret in base32, for an app that is typed into.
    pub(super) fn secret(&self) -> SecretString {
        self.0.secret().to_base32().into()
    }

    /// `otpauth://totp/…`, for an app on the same device.
    pub(super) fn url(&self) -> Result<SecretString, MfaError> {
        Ok(self.0.to_url().map_err(|_| MfaError::Totp)?.into())
    }

    /// The same as a picture: a PNG in base64.
    pub(super) fn qr_code(&self) -> Result<SecretString, MfaError> {
        Ok(self.0.to_qr_base64().map_err(|_| MfaError::Totp)?.into())
    }

    /// Compares a code with all that it may be, whatever it is, so that how long it takes tells nothing.
    pub(super) fn judge(&self, code: &PresentedCode, now: Timestamp) -> Verdict {
        let current = now.timestamp().div_euclid(STEP_SECONDS.cast_signed());
        let (mut found, mut offset) = (Choice::from(0), 0_i64);
        for candidate in -RECOGNISED..=RECOGNISED {
            let is_this = self.is_of(code, current + candidate);
            // Two steps may have the same code: the one that is nearer counts.
            let is_nearer = Choice::from(u8::from(candidate.abs() < offset.abs()));
            let counts = is_this & (!found | is_nearer);
            offset.conditional_assign(&candidate, counts);
            found |= is_this;
        }
        if !bool::from(found) {
            return Verdict::Wrong;
        }
        let step = current + offset;
        if offset.abs() <= TOLERATED {
            return Verdict::Right { step };
        }
        let drift = if offset < 0 { Drift::Behind } else { Drift::Ahead };
        Verdict::Drifted { step, drift }
    }

    fn is_of(&self, code: &PresentedCode, step: i64) -> Choice {
        let Ok(step) = u64::try_from(step) else {
            return Choice::from(0);
        };
        let expected = self.0.generate(step * STEP_SECONDS).to_string();
        code.text().expose_secret().as_bytes().ct_eq(expected.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::secrets::SecretBytes;

    /// RFC 6238 Appendix B: the secret for SHA-1, and the last six of the eight digits at each time.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    fn totp() -> Totp {
        let mut bytes = b"12345678901234567890".to_vec();
        bytes.extend([0; 32]);
        let secrets = FactorSecrets::of(SecretBytes::new(bytes)).unwrap();
        Totp::new(&secrets, "Example", "ada@example.com").unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).unwrap()
    }

    fn judge(code: &str, seconds: i64) -> Verdict {
        totp().judge(&PresentedCode::of(&code.into()), at(seconds))
    }

    #[test]
    fn the_codes_of_the_rfc_are_taken_in_their_step_and_one_before_and_after() {
        for (time, code) in VECTORS {
            let step = time / 30;
            for (off, verdict) in [
                (0, Verdict::Right { step }),
                (30, Verdict::Right { step }),
                (-30, Verdict::Right { step }),
                (
                    60,
                    Verdict::Drifted {
                        step,
                        drift: Drift::Behind,
                    },
                ),
                (
                    120,
                    Verdict::Drifted {
                        step,
                        drift: Drift::Behind,
                    },
                ),
                (150, Verdict::Wrong),
                (3600, Verdict::Wrong),
            ] {
                assert_eq!(judge(code, time + off), verdict, "{code}, {off} s later");
            }
        }
        let (time, code) = VECTORS[4];
        for off in [60, 120] {
            let verdict = Verdict::Drifted {
                step: time / 30,
                drift: Drift::Ahead,
            };
            assert_eq!(judge(code, time - off), verdict, "{off} s before");
        }
        assert_eq!(judge(code, time - 150), Verdict::Wrong);
    }

    #[test]
    fn what_has_not_six_digits_is_wrong() {
        for code in ["", "28708", "2870820", "94287082", "287o82"] {
            assert_eq!(judge(code, 59), Verdict::Wrong, "{code}");
        }
    }

    #[test]
    fn the_first_moments_of_all_time_have_codes_too() {
        assert_eq!(judge("287082", 31), Verdict::Right { step: 1 });
        assert_eq!(judge("287082", 0), Verdict::Right { step: 1 });
    }

    #[test]
    fn an_app_is_told_whose_code_it_shows_and_for_what() {
        let url = totp().url().unwrap();
        let url = url.expose_secret();
        assert!(
            url.starts_with("otpauth://totp/Example:ada%40example.com?"),
            "{url}"
        );
        assert!(url.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{url}");
    }
}
