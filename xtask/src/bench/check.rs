//! The rows of checking a token at the origin, and of introspecting one.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use base64ct::{Base64, Encoding as _};

use super::{
    Plan, contest, hashing,
    http::Client,
    load::{self, Presented, Tokens},
    origin::Origin,
    report::{Goal, Row},
    rivals::{BetterAuth, OldSession, Rival, better_auth_cookie, check_signed_alike},
    sample::Series,
    tokens::{KEY_BITS, tampered},
};
use crate::workspace::Workspace;

const OURS: &str = "Portcullis origin, GET /auth/verify";
const OLD: &str = "old service's stack, tuned";
const OLD_UNREVOKABLE: &str = "old service's stack, tuned, signature alone";
const BETTER_AUTH: &str = "Better Auth, get-session";
const INTROSPECTION: &str = "Portcullis origin, POST /oauth2/introspect";

const VERIFY: &str = "/auth/verify";
const INTROSPECT: &str = "/oauth2/introspect";

/// Sessions for each core; their tokens are presented in turn.
const SESSIONS: usize = 8;

/// The service client that every stack has, and its secret.
const SERVICE_CLIENT: &[u8] = b"dev-service:dev-service-secret";

/// Who answers, and what is presented to it.
struct Contestant {
    name: &'static str,
    port: u16,
    pid: u32,
    path: &'static str,
    tokens: Tokens,
}

/// The row of checks per second.
pub(super) fn row(workspace: &Workspace, plan: &Plan) -> Result<Row> {
    let origin = Origin::start(workspace, &[])?;
    let old = Rival::old_service(workspace, &origin)?;
    let better_auth = Rival::better_auth(workspace, &origin, BetterAuth::Checks)?;
    let sessions = SESSIONS * hashing::cores();

    let ours = access_tokens(&origin, sessions)?;
    let theirs: Vec<String> = (0..sessions)
        .map(|_| Ok(OldSession::open(old.port)?.access))
        .collect::<Result<_>>()?;
    let cookies: Vec<String> = (0..sessions)
        .map(|caller| better_auth_cookie(better_auth.port, caller))
        .collect::<Result<_>>()?;
    refuses_another_signature(origin.port, VERIFY, ours.first())?;
    refuses_another_signature(old.port, VERIFY, theirs.first())?;
    refuses_another_signature(old.port, "/auth/verify-signature", theirs.first())?;

    let (bearer, cookie) = (Presented::Bearer, Presented::Cookie);
    let of_old = pool(workspace, "old", &theirs, bearer.clone())?;
    let contestants = [
        Contestant {
            name: OURS,
            port: origin.port,
            pid: origin.pid,
            path: VERIFY,
            tokens: pool(workspace, "ours", &ours, bearer)?,
        },
        Contestant {
            name: OLD,
            port: old.port,
            pid: old.pid()?,
            path: VERIFY,
            tokens: of_old.clone(),
        },
        Contestant {
            name: OLD_UNREVOKABLE,
            port: old.port,
            pid: old.pid()?,
            path: "/auth/verify-signature",
            tokens: of_old,
        },
        Contestant {
            name: BETTER_AUTH,
            port: better_auth.port,
            pid: better_auth.pid()?,
            path: "/api/auth/get-session",
            tokens: pool(workspace, "better-auth", &cookies, cookie)?,
        },
    ];
    Ok(Row::contest(
        &format!("origin token check (RSA-{KEY_BITS})"),
        "checks",
        vec![Goal::at_least(2.0, OLD)],
        against_each_other(workspace, "Token checks", plan, &contestants)?,
    ))
}

/// The row of introspections per second, beside the origin's own check of the same tokens.
pub(super) fn introspection(workspace: &Workspace, plan: &Plan) -> Result<Row> {
    let origin = Origin::start(workspace, &[])?;
    let tokens = access_tokens(&origin, SESSIONS * hashing::cores())?;
    let authorization = format!("Basic {}", Base64::encode_string(SERVICE_CLIENT));
    tells_good_from_bad(&origin, &authorization, tokens.first())?;
    let introspected = Presented::Introspection { authorization };
    let ours = |name, path, tokens| Contestant {
        name,
        port: origin.port,
        pid: origin.pid,
        path,
        tokens,
    };
    let contestants = [
        ours(
            INTROSPECTION,
            INTROSPECT,
            pool(workspace, "introspected", &tokens, introspected)?,
        ),
        ours(OURS, VERIFY, pool(workspace, "ours", &tokens, Presented::Bearer)?),
    ];
    Ok(Row::contest(
        &format!("origin introspection (RSA-{KEY_BITS})"),
        "introspections",
        Vec::new(),
        against_each_other(workspace, "Introspections", plan, &contestants)?,
    ))
}

/// Warms all contestants up, and measures them in turns.
fn against_each_other(
    workspace: &Workspace,
    title: &str,
    plan: &Plan,
    contestants: &[Contestant],
) -> Result<Vec<Series>> {
    let measure =
        |one: &Contestant, time| load::run(workspace, one.port, one.path, &one.tokens, time, one.pid);
    for one in contestants {
        measure(one, plan.warm_up)?;
    }
    let names: Vec<&str> = contestants.iter().map(|one| one.name).collect();
    contest::run(title, &names, plan.rounds, |place, _| {
        measure(contestants.get(place).context("no such contestant")?, plan.round)
    })
}

/// The access tokens of `count` new accounts.
fn access_tokens(origin: &Origin, count: usize) -> Result<Vec<String>> {
    let sessions = origin.register_all(count)?;
    let tokens: Vec<String> = sessions.into_iter().map(|one| one.access_token).collect();
    for token in &tokens {
        check_signed_alike(OURS, token)?;
    }
    Ok(tokens)
}

/// Writes what is presented where the load generator finds it.
fn pool(workspace: &Workspace, name: &str, lines: &[String], as_what: Presented) -> Result<Tokens> {
    let folder: PathBuf = workspace.root().join("target/bench/tokens");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let file = folder.join(format!("sessions-{name}.txt"));
    fs::write(&file, lines.join("\n") + "\n")
        .with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(Tokens {
        file,
        first: 0,
        count: lines.len(),
        once: false,
        as_what,
    })
}

fn refuses_another_signature(port: u16, path: &str, token: Option<&String>) -> Result<()> {
    let token = token.context("there is no token")?;
    let mut client = Client::connect(port)?;
    let (good, bad) = (
        client.get(path, token)?.status,
        client.get(path, &tampered(token))?.status,
    );
    if (good, bad) != (200, 401) {
        bail!("port {port} answers {good} to a good token and {bad} to a tampered one");
    }
    Ok(())
}

fn tells_good_from_bad(origin: &Origin, authorization: &str, token: Option<&String>) -> Result<()> {
    let token = token.context("there is no token")?;
    let mut client = Client::connect(origin.port)?;
    for (token, expected) in [
        (token.clone(), r#""active":true"#),
        (tampered(token), r#""active":false"#),
    ] {
        let headers = [
            ("Authorization", authorization),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let answer = client.send("POST", INTROSPECT, &headers, Some(&format!("token={token}")))?;
        if answer.status != 200 || !answer.body.contains(expected) {
            bail!(
                "an introspection is answered with {} {} where {expected} is due",
                answer.status,
                answer.body
            );
        }
    }
    Ok(())
}
