//! The servers in Node that the origin is compared with, on the Postgres and the Redis of its stack. Each runs in as
//! many processes as there are cores.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{hashing, http::Client, origin::Origin, tokens::KEY_BITS};
use crate::{
    net,
    process::{Probe, Service, ServiceSpec},
    stack::{self, Part},
    workspace::Workspace,
};

/// A server of somebody else.
pub(super) struct Rival {
    service: Service,
    pub(super) port: u16,
}

/// What Better Auth does when its session is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum BetterAuth {
    /// It extends the session and hands out an access token.
    Refreshes,
    /// It only looks.
    Checks,
}

impl Rival {
    /// What the old service does, tuned.
    pub(super) fn old_service(workspace: &Workspace, origin: &Origin) -> Result<Self> {
        Self::start(workspace, origin, "old-service", &[])
    }

    /// Better Auth.
    pub(super) fn better_auth(workspace: &Workspace, origin: &Origin, mode: BetterAuth) -> Result<Self> {
        let argument = match mode {
            BetterAuth::Refreshes => "refresh",
            BetterAuth::Checks => "check",
        };
        Self::start(workspace, origin, "better-auth", &[argument])
    }

    /// Starts `xtask/bench/NAME.mjs` on an empty database of its own, and waits until it serves.
    fn start(workspace: &Workspace, origin: &Origin, name: &str, arguments: &[&str]) -> Result<Self> {
        let port = net::free_port()?;
        let database = name.replace('-', "_");
        let database = stack::create_database(workspace, &origin.stack.url(Part::Postgres), &database)?;
        let script = workspace.root().join(format!("xtask/bench/{name}.mjs"));
        let mut args = vec![script.display().to_string()];
        args.extend(arguments.iter().map(|one| (*one).to_owned()));
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).context("the system has no random source")?;
        let env = [
            ("NODE_ENV", "production".to_owned()),
            ("PORT", port.to_string()),
            ("CORES", hashing::cores().to_string()),
            ("KEY_BITS", KEY_BITS.to_string()),
            ("DATABASE_URL", database),
            ("REDIS_URL", origin.stack.url(Part::Redis)),
            ("SECRET", Base64UrlUnpadded::encode_string(&secret)),
        ];
        let mut service = Service::new(
            workspace,
            ServiceSpec {
                name: name.to_owned(),
                program: workspace.npm_bin("node"),
                args,
                env: env
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
                user: None,
                stop: Signal::SIGTERM,
                grace: Duration::from_secs(5),
                probe: Probe::Http { port, path: "/live" },
                deadline: Duration::from_mins(1),
                state_dir: origin.stack.state_dir().to_path_buf(),
            },
        );
        service.start()?;
        Ok(Self { service, port })
    }

    /// The leader of its processes.
    pub(super) fn pid(&self) -> Result<u32> {
        self.service.pid().context("a contestant has ended")
    }
}

/// The tokens of a session at the old service.
pub(super) struct OldSession {
    pub(super) access: String,
    /// To refresh with: signed, as the old service has them.
    pub(super) signed: String,
    /// To refresh with: random text, as the old service could have them.
    pub(super) opaque: String,
}

impl OldSession {
    /// Opens one.
    pub(super) fn open(port: u16) -> Result<Self> {
        let answer = Client::connect(port)?.post("/sessions", "{}")?;
        let body: Value = serde_json::from_str(&answer.body).context("the old service gives no JSON")?;
        let text = |name: &str| {
            body.get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .with_context(|| format!("the old service gives no {name}: {}", answer.body))
        };
        Ok(Self {
            access: text("accessToken")?,
            signed: text("refreshToken")?,
            opaque: text("opaqueRefreshToken")?,
        })
    }
}

/// Makes the account of a caller at Better Auth, and returns the cookie of its session.
pub(super) fn better_auth_cookie(port: u16, caller: usize) -> Result<String> {
    let account = serde_json::json!({
        "email": format!("caller-{caller}@bench.example"), "password": "quiet harbour lantern 94", "name": "Bench",
    });
    let answer = Client::connect(port)?.post("/api/auth/sign-up/email", &account.to_string())?;
    let cookie = answer
        .header("set-cookie")
        .and_then(|line| line.split(';').next());
    match cookie {
        Some(cookie) if answer.status == 200 => Ok(cookie.to_owned()),
        _ => bail!(
            "Better Auth answers {} to a registration: {}",
            answer.status,
            answer.body
        ),
    }
}

/// Fails unless `token` is signed with RS256 and a key of the size that everybody has here.
pub(super) fn check_signed_alike(name: &str, token: &str) -> Result<()> {
    let mut parts = token.split('.');
    let (header, signature) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    let header = Base64UrlUnpadded::decode_vec(header).unwrap_or_default();
    let header: Value = serde_json::from_slice(&header).unwrap_or_default();
    let bits = Base64UrlUnpadded::decode_vec(signature).map_or(0, |bytes| bytes.len() * 8);
    if header.get("alg").and_then(Value::as_str) != Some("RS256") || bits != KEY_BITS as usize {
        bail!("{name} does not sign with RS256 and {KEY_BITS} bits: {token}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_another_algorithm_or_size_does_not_compete() {
        let token = |algorithm: &str, bytes: usize| {
            let header = Base64UrlUnpadded::encode_string(format!(r#"{{"alg":"{algorithm}"}}"#).as_bytes());
            format!(
                "{header}.e30.{}",
                Base64UrlUnpadded::encode_string(&vec![1; bytes])
            )
        };
        assert!(check_signed_alike("a", &token("RS256", 384)).is_ok());
        assert!(check_signed_alike("a", &token("RS256", 256)).is_err());
        assert!(check_signed_alike("a", &token("ES256", 384)).is_err());
        assert!(check_signed_alike("a", "").is_err());
    }
}
