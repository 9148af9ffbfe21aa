//! `[clients.<id>]`: the services that may ask about tokens.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::reader::{Mistakes, Section, Settings};
use super::secret;
use crate::kernel::secret_digest::SecretDigest;

/// What the name of a service client may be, for messages.
pub const CLIENT_ID_RULE: &str = "a client's id is 1 to 64 of A-Z, a-z, 0-9, _ and -";

/// Whether `text` can name a service client. None of the characters needs an escape in a form, a header or TOML.
#[must_use]
pub fn is_client_id(text: &str) -> bool {
    secret::is_key_id(text)
}

/// Reads the digests of the clients' secrets, by client.
pub(super) fn read(
    (name, settings): (&'static str, Settings),
    mistakes: &mut Mistakes,
) -> BTreeMap<String, SecretDigest> {
    let ids: Vec<String> = settings.keys().cloned().collect();
    let mut section = Section::new(name, settings, mistakes);
    let mut clients = BTreeMap::new();
    for id in ids {
        if !is_client_id(&id) {
            section.mistake(&id, CLIENT_ID_RULE);
        }
        let mut table = section.table(&id);
        match table.remove("secret_sha256") {
            None => section.mistake(&format!("{id}.secret_sha256"), "is missing"),
            Some(text) => match SecretDigest::parse(text.trim()) {
                Some(digest) if is_of_empty_secret(&digest) => {
                    section.mistake(&format!("{id}.secret_sha256"), "is the digest of an empty secret");
                }
                Some(digest) => {
                    clients.insert(id.clone(), digest);
                }
                // The text is not repeated: by mistake it may be the secret.
                None => section.mistake(
                    &format!("{id}.secret_sha256"),
                    "must be a SHA-256 in 64 hexadecimal digits; `portcullis clients generate` makes one",
                ),
            },
        }
        for unknown in table.into_keys() {
            section.mistake(&id, format_args!("has no setting `{unknown}`"));
        }
    }
    section.finish();
    clients
}

fn is_of_empty_secret(digest: &SecretDigest) -> bool {
    digest.recognises(&SecretString::from("")).into()
}
