//! `portcullis clients …`.

use secrecy::ExposeSecret as _;

use crate::kernel::random::SystemEntropy;
use crate::kernel::secret_digest::{SecretDigest, generate_secret};

use super::say;

/// Makes up a secret, and says it once: it is kept nowhere.
pub(super) fn generate(id: &str) {
    let secret = generate_secret(&SystemEntropy);
    say("# The secret. It is shown this once; give it to the service.");
    say(secret.expose_secret());
    say("\n# For the configuration of the origin:");
    say(format_args!("[clients.{id}]"));
    say(format_args!(
        "secret_sha256 = \"{}\"",
        SecretDigest::of(&secret).to_hex()
    ));
}
