//! `portcullis token explain`: which rule a token meets, and which it does not.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::explanation::{Check, Outcome};
use portcullis_origin::kernel::time::{TimeDelta, Timestamp};
use portcullis_origin::sessions::{Lifetimes, Sessions};
use serde_json::Value;

use crate::common::{TestDatabase, TestServer};
use crate::fixtures::{audit_trail, execute, refresh, register, server};
use crate::startup::{out, run, settings};

fn now(server: &TestServer) -> Timestamp {
    server.clock.now()
}

/// The rules that were met, the one that was not, and what was found there.
fn outcome(checks: &[Check]) -> (Vec<&'static str>, Option<(&'static str, String)>) {
    let good = checks
        .iter()
        .take_while(|check| check.outcome == Outcome::Good)
        .map(|check| check.check)
        .collect::<Vec<_>>();
    let refused = checks.get(good.len()).map(|check| {
        assert_eq!(check.outcome, Outcome::Refused);
        (check.check, check.detail.clone().unwrap_or_default())
    });
    let rest = checks.iter().skip(good.len() + 1);
    assert!(
        rest.into_iter()
            .all(|check| check.outcome == Outcome::NotReached && check.detail.is_none())
    );
    (good, refused)
}

async fn explained(server: &TestServer, token: &str, at: Timestamp) -> Vec<Check> {
    let tokens = server.app.tokens();
    tokens.explain(token, at).await.unwrap().checks
}

fn detail<'c>(checks: &'c [Check], name: &str) -> &'c str {
    let check = checks.iter().find(|check| check.check == name).unwrap();
    check.detail.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn a_good_access_token_meets_every_rule() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let checks = explained(&server, &person.access, now(&server)).await;
    assert_eq!(outcome(&checks).1, None);
    assert_eq!(detail(&checks, "sub"), person.user_id);
    assert_eq!(detail(&checks, "sid"), person.session_id);
    assert_eq!(detail(&checks, "iss"), "https://auth.example.com");
    assert!(detail(&checks, "exp").ends_with("in 14 min") || detail(&checks, "exp").ends_with("in 15 min"));
    assert!(!detail(&checks, "kid").is_empty());
    let shown = format!("{checks:?}");
    assert!(
        person.access.split('.').all(|segment| !shown.contains(segment)),
        "the token is not shown"
    );
}

#[tokio::test]
async fn an_access_token_is_refused_by_the_rule_that_it_does_not_meet() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let token = &person.access;
    let at = now(&server);
    let refused = async |token: &str, at: Timestamp| outcome(&explained(&server, token, at).await).1.unwrap();

    assert_eq!(refused("not-a-token", at).await.0, "form");
    assert_eq!(refused(&token[1..], at).await.0, "form");
    assert_eq!(refused(&format!("{token}="), at).await.0, "encoding");
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    assert_eq!(
        refused(&format!("{signed}.{other}{}", &signature[1..]), at)
            .await
            .0,
        "signature"
    );

    let (rule, why) = refused(token, at + TimeDelta::minutes(27)).await;
    assert_eq!(rule, "exp");
    assert!(
        why.ends_with("12 min ago") || why.ends_with("11 min ago"),
        "{why}"
    );
    assert_eq!(refused(token, at - TimeDelta::hours(1)).await.0, "iat");

    for (statement, rule, found) in [
        ("UPDATE users SET status = 'disabled'", "account", "disabled"),
        (
            "UPDATE sessions SET revoked_at = now(), revoked_reason = 'logout'",
            "session",
            "it was ended: logout",
        ),
        (
            "UPDATE sessions SET revoked_at = NULL, revoked_reason = NULL, idle_expires_at = 'epoch'",
            "session",
            "it has run out",
        ),
        ("DELETE FROM sessions", "session", "there is no such session"),
    ] {
        execute(&server, statement).await;
        let (refused_by, why) = refused(token, at).await;
        assert_eq!(refused_by, rule, "{statement}");
        assert!(why.contains(found), "{statement}: {why}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_header_or_a_payload_is_told_before_any_key_is_looked_for() {
    let server = server().await;
    let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    let good = r#"{"alg":"RS256","typ":"at+jwt","kid":"k"}"#;
    for (header, payload, rule) in [
        ("[]", "{}", "form"),
        (r#"{"alg":"RS256","alg":"RS256"}"#, "{}", "form"),
        (
            r#"{"alg":"RS256","typ":"at+jwt","kid":"k","crit":["x"]}"#,
            "{}",
            "crit",
        ),
        (r#"{"alg":"none","typ":"at+jwt","kid":"k"}"#, "{}", "alg"),
        (r#"{"alg":"RS256","typ":"at+jwt","kid":7}"#, "{}", "kid"),
        (r#"{"alg":"RS256","typ":"at+jwt"}"#, "{}", "kid"),
        (r#"{"alg":"RS256","typ":"JWT","kid":"k"}"#, "{}", "typ"),
        (good, "[]", "payload"),
        (good, r#"{"sub":"a","sub":"b"}"#, "payload"),
        (good, "{}", "key"),
    ] {
        let token = format!("{}.{}.AAAA", encode(header), encode(payload));
        let checks = explained(&server, &token, now(&server)).await;
        assert_eq!(outcome(&checks).1.unwrap().0, rule, "{header}.{payload}");
    }
}

#[tokio::test]
async fn a_token_of_another_installation_is_refused_by_its_key() {
    let (ours, theirs) = (server().await, server().await);
    register(&ours, "ada@example.com").await;
    let stranger = register(&theirs, "ada@example.com").await;
    let checks = explained(&ours, &stranger.access, now(&ours)).await;
    assert_eq!(outcome(&checks).1.unwrap().0, "key");
    assert!(
        !detail(&checks, "kid").is_empty(),
        "the name of the key is no secret"
    );
}

async fn explained_refresh(
    server: &TestServer,
    token: &str,
) -> (Vec<&'static str>, Option<(&'static str, String)>) {
    let config = server.app.core().config();
    let sessions = Sessions::new(config.master_key.clone(), Lifetimes::from(&config.tokens));
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let checks = sessions
        .explain(&mut connection, &token.into(), now(server))
        .await
        .unwrap();
    let shown = format!("{checks:?}");
    assert!(
        !shown.contains(token.rsplit('.').next().unwrap()),
        "the token is not shown"
    );
    outcome(&checks)
}

#[tokio::test]
async fn a_refresh_token_is_explained_and_its_chain_left_alone() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let (good, refused) = explained_refresh(&server, &person.refresh).await;
    assert_eq!(
        good,
        [
            "form",
            "mac",
            "session",
            "absolute",
            "idle",
            "generation",
            "account"
        ]
    );
    assert_eq!(refused, None);

    let second = refresh(&server, &person.refresh).await;
    assert_eq!(
        explained_refresh(&server, &person.refresh).await.1,
        None,
        "the predecessor"
    );
    let third = refresh(&server, &second).await;
    let (rule, why) = explained_refresh(&server, &person.refresh).await.1.unwrap();
    assert_eq!(rule, "generation");
    assert!(why.contains("the chain is at 2"), "{why}");
    assert_eq!(explained_refresh(&server, &third).await.1, None);
    assert_eq!(audit_trail(&server).await, ["registered", "logged_in"]);

    let forged = format!("{}AAAAAAAA", &third[..third.len() - 8]);
    assert_eq!(explained_refresh(&server, &forged).await.1.unwrap().0, "mac");
    assert_eq!(
        explained_refresh(&server, "pcr_nonsense").await.1.unwrap().0,
        "form"
    );

    server.clock.advance(TimeDelta::days(30));
    assert_eq!(explained_refresh(&server, &third).await.1.unwrap().0, "idle");
    server.clock.advance(TimeDelta::days(60));
    assert_eq!(explained_refresh(&server, &third).await.1.unwrap().0, "absolute");
    execute(
        &server,
        "UPDATE sessions SET revoked_at = now(), revoked_reason = 'logout'",
    )
    .await;
    assert_eq!(explained_refresh(&server, &third).await.1.unwrap().0, "session");
}

#[tokio::test]
async fn a_refresh_token_of_the_future_and_of_a_closed_account_are_refused() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let second = refresh(&server, &person.refresh).await;
    execute(&server, "UPDATE sessions SET generation = 0").await;
    let (rule, why) = explained_refresh(&server, &second).await.1.unwrap();
    assert_eq!(
        (rule, why.as_str()),
        ("generation", "1 was never given out: the chain is at 0")
    );
    execute(&server, "UPDATE users SET status = 'locked'").await;
    assert_eq!(
        explained_refresh(&server, &person.refresh).await.1.unwrap().0,
        "account"
    );
}

#[tokio::test]
async fn the_command_prints_a_line_for_each_rule_or_json() {
    let database = TestDatabase::create().await;
    let configured = settings(database.url());
    let plain = run(&["token", "explain", "not-a-token"], &configured).await;
    assert_eq!(plain.status.code(), Some(1));
    let text = out(&plain);
    let first = text.lines().next().unwrap();
    assert!(
        first.starts_with("refused      form ") && first.contains("RFC 7515 §7.1"),
        "{text}"
    );
    assert!(text.contains("not reached  signature "), "{text}");
    assert!(text.ends_with("the access token is refused\n"), "{text}");
    assert!(!text.contains("not-a-token"), "{text}");

    let json = run(&["token", "explain", "--json", "pcr_x"], &configured).await;
    assert_eq!(json.status.code(), Some(1));
    let report: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(report["kind"], "refresh_token");
    assert_eq!(report["good"], false);
    assert_eq!(report["checks"][0]["check"], "form");
    assert_eq!(report["checks"][0]["outcome"], "refused");
    assert_eq!(report["checks"][1]["outcome"], "not_reached");
}
