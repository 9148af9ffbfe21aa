//! The row of refreshing: every caller exchanges the refresh token of its last answer for the next.

use anyhow::{Context, Result, bail};

use super::{
    Plan,
    drive::{Call, Contestant, against_each_other},
    hashing,
    http::{Answer, Client},
    origin::Origin,
    report::{Goal, Row},
    rivals::{BetterAuth, OldSession, Rival, better_auth_cookie, check_signed_alike},
    tokens::KEY_BITS,
};
use crate::workspace::Workspace;

const OURS: &str = "Portcullis origin, POST /auth/refresh";
const OLD: &str = "old service's stack, tuned";
const OLD_OPAQUE: &str = "old service's stack, tuned, one signature";
const BETTER_AUTH: &str = "Better Auth, get-session that renews";

/// Callers for each core: enough that nobody waits for the load generator.
const CALLERS: usize = 8;

/// The row of refreshes per second.
pub(super) fn row(workspace: &Workspace, plan: &Plan) -> Result<Row> {
    let origin = Origin::start(workspace, &[])?;
    let old = Rival::old_service(workspace, &origin)?;
    let better_auth = Rival::better_auth(workspace, &origin, BetterAuth::Refreshes)?;
    let callers = CALLERS * hashing::cores();

    let sessions: Vec<OldSession> = (0..callers)
        .map(|_| OldSession::open(old.port))
        .collect::<Result<_>>()?;
    let of_old = |name, calls| -> Result<Contestant> {
        Ok(Contestant {
            name,
            port: old.port,
            pid: old.pid()?,
            calls,
        })
    };
    let mut contestants = [
        Contestant {
            name: OURS,
            port: origin.port,
            pid: origin.pid,
            calls: origin
                .register_all(callers)?
                .into_iter()
                .map(|session| exchange("/auth/refresh", session.refresh_token))
                .collect(),
        },
        of_old(
            OLD,
            sessions
                .iter()
                .map(|session| exchange("/auth/refresh", session.signed.clone()))
                .collect(),
        )?,
        of_old(
            OLD_OPAQUE,
            sessions
                .iter()
                .map(|session| exchange("/auth/refresh-opaque", session.opaque.clone()))
                .collect(),
        )?,
        Contestant {
            name: BETTER_AUTH,
            port: better_auth.port,
            pid: better_auth.pid()?,
            calls: (0..callers)
                .map(|caller| Ok(renew(better_auth_cookie(better_auth.port, caller)?)))
                .collect::<Result<_>>()?,
        },
    ];
    refuses_what_it_never_gave(&origin, &old)?;
    Ok(Row::contest(
        &format!("origin refresh (RSA-{KEY_BITS}), {callers} callers"),
        "refreshes",
        vec![Goal::at_least(1.25, OLD), Goal::at_least(3.0, BETTER_AUTH)],
        against_each_other("Refreshes", plan, &mut contestants)?,
    ))
}

/// A caller that presents the refresh token it was given last.
fn exchange(path: &'static str, first: String) -> Call {
    let mut token = first;
    let mut signature_checked = false;
    Box::new(move |client| {
        let answer = client.post(path, &body(&token))?;
        if !signature_checked {
            check_signed_alike(path, &member(&answer, "accessToken")?)?;
            signature_checked = true;
        }
        let next = member(&answer, "refreshToken")?;
        if next == token {
            bail!("{path} gives out the refresh token that it was given");
        }
        token = next;
        Ok(())
    })
}

/// A caller of Better Auth, where the session is one cookie for as long as it lasts.
fn renew(cookie: String) -> Call {
    let mut signature_checked = false;
    Box::new(move |client| {
        let answer = client.send("GET", "/api/auth/get-session", &[("Cookie", &cookie)], None)?;
        let token = answer
            .header("set-auth-jwt")
            .with_context(|| format!("Better Auth gives no token ({}): {}", answer.status, answer.body))?;
        if !signature_checked {
            check_signed_alike(BETTER_AUTH, token)?;
            signature_checked = true;
        }
        Ok(())
    })
}

fn body(refresh_token: &str) -> String {
    format!(r#"{{"refreshToken":"{refresh_token}"}}"#)
}

/// A text in a successful answer, found without reading all of it: the load generator shares the cores.
fn member(answer: &Answer, name: &str) -> Result<String> {
    let found = answer
        .body
        .split_once(&format!("\"{name}\":\""))
        .and_then(|(_, rest)| rest.split_once('"'));
    match found {
        Some((value, _)) if answer.status == 200 => Ok(value.to_owned()),
        _ => bail!("a refresh is answered with {}: {}", answer.status, answer.body),
    }
}

/// Fails unless a refresh token that was altered is refused by whoever looks at them.
fn refuses_what_it_never_gave(origin: &Origin, old: &Rival) -> Result<()> {
    let altered = |token: &str| token.chars().rev().collect::<String>();
    let ours = origin.register(usize::MAX)?.refresh_token;
    let theirs = OldSession::open(old.port)?;
    for (port, path, token) in [
        (origin.port, "/auth/refresh", ours),
        (old.port, "/auth/refresh", theirs.signed),
        (old.port, "/auth/refresh-opaque", theirs.opaque),
    ] {
        let mut client = Client::connect(port)?;
        if client.post(path, &body(&altered(&token)))?.status != 401 {
            bail!("{path} takes a refresh token that it never gave");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, net::TcpListener, thread};

    use super::*;

    #[test]
    fn a_caller_presents_what_it_was_given_last() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let signed = format!("eyJhbGciOiJSUzI1NiJ9.e30.{}", "A".repeat(512));
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = Vec::new();
            for next in ["second", "third"] {
                let mut chunk = [0; 1024];
                let length = std::io::Read::read(&mut stream, &mut chunk).unwrap();
                seen.push(String::from_utf8_lossy(&chunk[..length]).into_owned());
                let body = format!(r#"{{"accessToken":"{signed}","refreshToken":"{next}"}}"#);
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
            }
            seen
        });
        let mut call = exchange("/auth/refresh", "first".to_owned());
        let mut client = Client::connect(port).unwrap();
        call(&mut client).unwrap();
        call(&mut client).unwrap();
        let seen = server.join().unwrap();
        assert!(seen[0].ends_with(r#"{"refreshToken":"first"}"#), "{}", seen[0]);
        assert!(seen[1].ends_with(r#"{"refreshToken":"second"}"#), "{}", seen[1]);
    }
}
