//! What the programs of a stack are told: the origin's configuration, and the secrets it shares with the Worker.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::state::{State, write_private};

/// The issuer of development tokens. The policy in `wrangler.toml` names it too, so it stays when ports move.
pub const ISSUER: &str = "http://127.0.0.1:8787";

/// The audience of development tokens.
pub const AUDIENCE: &str = "portcullis-dev";

/// The service client that introspects and revokes in development.
const SERVICE_CLIENT: &str = "dev-service";

/// The SHA-256 of its secret, `dev-service-secret`.
const SERVICE_SECRET_SHA256: &str = "9a08d698b44b9309823cebb8bad407d3f0dcebbe0fe5e72f5739e335e5ebd1e7";

/// The environment in which `portcullis` finds its configuration.
pub(super) fn origin_env(state: &State, database_url: &str, redis_url: &str) -> Vec<(String, String)> {
    let secrets = state.secrets();
    [
        (
            "PORTCULLIS_CONFIG",
            state.dir().join("portcullis.toml").display().to_string(),
        ),
        ("DATABASE_URL", database_url.to_owned()),
        ("REDIS_URL", redis_url.to_owned()),
        ("PORTCULLIS__SECRETS__MASTER_KEY", secrets.master_key.clone()),
        ("PORTCULLIS__EDGE__SIGNING_KEYS", signing_keys(state)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The table of signing keys as both sides read it: `{"keyid":"base64"}`.
fn signing_keys(state: &State) -> String {
    let secrets = state.secrets();
    serde_json::json!({ &secrets.edge_key_id: secrets.edge_signing_key }).to_string()
}

/// Writes `portcullis.toml`, and `env`, which `portcullis` reads when it is called in the checkout.
pub(super) fn write(state: &State, database_url: &str, redis_url: &str, origin_port: u16) -> Result<()> {
    // Mails are files here; the origin makes the folder. A JSON string is a TOML string, too.
    let mails = serde_json::json!(state.dir().join("mail"));
    let toml = format!(
        "# Written by cargo xtask; changes do not last. Secrets are in `env`, beside this file.\n\n\
         [http]\nlisten = \"127.0.0.1:{origin_port}\"\ndrain_seconds = 5\n\n\
         [tokens]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\n\n\
         [clients.{SERVICE_CLIENT}]\nsecret_sha256 = \"{SERVICE_SECRET_SHA256}\"\n\n\
         [mail]\ntransport = \"file\"\nfolder = {mails}\nfrom = \"Portcullis <no-reply@portcullis.example>\"\n\
         reply_to = \"support@portcullis.example\"\n"
    );
    let file = state.dir().join("portcullis.toml");
    fs::write(&file, toml).with_context(|| format!("{} cannot be written", file.display()))?;
    let env = origin_env(state, database_url, redis_url);
    write_private(&state.dir().join("env"), &dotenv(&env))
}

/// Writes the Worker's secrets in the form that wrangler reads.
pub(super) fn write_worker_secrets(state: &State, file: &Path) -> Result<()> {
    let vars = [
        ("EDGE_SIGNING_KEYS".to_owned(), signing_keys(state)),
        (
            "EDGE_SIGNING_KEY_ID".to_owned(),
            state.secrets().edge_key_id.clone(),
        ),
    ];
    write_private(file, &dotenv(&vars))
}

/// One `NAME='value'` a line. No value here holds a single quote.
fn dotenv(vars: &[(String, String)]) -> String {
    let mut lines = vec!["# Written by cargo xtask; changes do not last.".to_owned()];
    lines.extend(vars.iter().map(|(name, value)| format!("{name}='{value}'")));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn both_sides_are_told_the_same_signing_keys() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&Workspace::find().unwrap(), folder.path()).unwrap();
        let worker = folder.path().join("worker.vars");
        write(&state, "postgres://x", "redis://y", 3001).unwrap();
        write_worker_secrets(&state, &worker).unwrap();
        let origin = fs::read_to_string(folder.path().join("env")).unwrap();
        let worker = fs::read_to_string(worker).unwrap();
        let keys = signing_keys(&state);
        assert!(
            origin.contains(&format!("PORTCULLIS__EDGE__SIGNING_KEYS='{keys}'")),
            "{origin}"
        );
        assert!(
            worker.contains(&format!("EDGE_SIGNING_KEYS='{keys}'")),
            "{worker}"
        );
    }
}
