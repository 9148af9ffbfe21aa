use std::cell::Cell;

use super::*;
use crate::browser::CookieFate;
use crate::tally::{Count, Question};

const CLIENT: &str = "2001:db8:0:1::/64";

fn limited_policy() -> Policy {
    Policy::parse(
        r#"{"issuer": "i", "audience": "a", "default_limits": ["client", "subject", "tenant"], "limits": [
            {"name": "client", "by": "client", "limit": 100, "window_seconds": 60, "binding": "A"},
            {"name": "subject", "by": "subject", "limit": 50, "window_seconds": 60, "binding": "B"},
            {"name": "tenant", "by": "tenant", "limit": 1000, "window_seconds": 60, "binding": "C"},
            {"name": "sign-in", "by": "client", "limit": 30, "window_seconds": 60, "exact": true}
        ], "routes": [
            {"path": "/echo", "upstream": "app", "authenticated": true},
            {"path": "/admin", "upstream": "app", "require": {"role": "admin"}},
            {"path": "/public", "upstream": "app", "public": true},
            {"path": "/live", "upstream": "app", "public": true, "limit": []},
            {"path": "/login", "upstream": "app", "public": true, "limit": ["client", "sign-in"]},
            {"path": "/exempt", "upstream": "app", "authenticated": true, "limit": []}
        ]}"#,
    )
    .unwrap()
}

/// How a request ends, and which keys were counted on the way.
#[derive(Debug)]
struct End {
    counted: Vec<String>,
    verified: usize,
    outcome: Result<(), Refusal>,
}

/// Decides as the Worker does: what is asked for is answered, and it is decided again.
fn end(ask: Ask, denials: &DenyCache, says: impl Fn(&Question) -> Count) -> End {
    let (policy, revocations) = (limited_policy(), nothing_revoked());
    let knowledge = Knowledge {
        denials,
        ..Knowledge::of(&policy, &revocations)
    };
    let mut ask = ask;
    let (mut counted, verified, known) = (Vec::new(), Cell::new(0), Cell::new(false));
    for _ in 0..10 {
        let verdict = |_: &str| {
            if known.get() {
                TokenVerdict::Verified(claims())
            } else {
                TokenVerdict::Unknown
            }
        };
        let outcome = match decide(&ask, &knowledge, verdict, NOW) {
            Decision::Count(question) => {
                counted.push(question.key());
                let count = says(&question);
                ask.tally.note(&question.limit, count);
                continue;
            }
            Decision::Verify(_) => {
                verified.set(verified.get() + 1);
                known.set(true);
                continue;
            }
            Decision::Pass(_) => Ok(()),
            Decision::Refuse(refusal) => Err(refusal),
            Decision::Preflight(_) => panic!("nobody asks beforehand"),
            Decision::FetchRevocations => panic!("what was revoked is known"),
            Decision::Refresh(_) => panic!("there are no cookies"),
            Decision::AskVenueRoles(_) => panic!("the token names all venues"),
        };
        return End {
            counted,
            verified: verified.get(),
            outcome,
        };
    }
    panic!("there is no end: {counted:?}");
}

fn ask(path: &str) -> Ask {
    let mut ask = Ask::new("GET", path);
    ask.headers
        .insert("cf-connecting-ip", "2001:db8:0:1:2:3:4:5".to_owned());
    ask
}

fn within(_: &Question) -> Count {
    Count::Within
}

fn over(name: &str) -> impl Fn(&Question) -> Count {
    move |question| {
        if question.limit.name == name {
            Count::Over { retry_after: 7 }
        } else {
            Count::Within
        }
    }
}

#[test]
fn a_request_counts_once_for_each_limit_by_client_before_its_token_and_by_subject_and_tenant_after() {
    let end = end(ask("/echo").bearing("token"), nobody_denied(), within);
    end.outcome.unwrap();
    assert_eq!(
        end.counted,
        [&format!("client:{CLIENT}"), "subject:user", "tenant:tenant"]
    );
    assert_eq!(end.verified, 1);
}

#[test]
fn who_is_over_a_limit_by_client_has_no_token_looked_at() {
    for credential in [
        Some("Bearer token"),
        Some("Bearer "),
        Some("Bearer a, Bearer b"),
        None,
    ] {
        let ask = Ask {
            authorization: credential.map(str::to_owned),
            cookie: Some("__Host-pc_refresh=pcr_x.1.y".to_owned()),
            ..ask("/echo")
        };
        let end = end(ask, nobody_denied(), over("client"));
        let refusal = end.outcome.unwrap_err();
        assert_eq!(refusal.code, ProblemCode::RateLimited);
        assert_eq!(refusal.retry_after, Some(7));
        assert_eq!(refusal.violated.unwrap().name, "client");
        assert_eq!(refusal.rate_limit.as_deref(), Some("\"client\";r=0;t=7"));
        assert_eq!((end.verified, end.counted.len()), (0, 1));
    }
}

#[test]
fn what_its_gate_refuses_counts_for_the_subject() {
    let end = end(ask("/admin").bearing("token"), nobody_denied(), within);
    assert_eq!(end.outcome.unwrap_err().code, ProblemCode::Forbidden);
    assert_eq!(end.counted.len(), 3);
    let end = self::end(ask("/admin").bearing("token"), nobody_denied(), over("subject"));
    assert_eq!(end.outcome.unwrap_err().violated.unwrap().name, "subject");
}

#[test]
fn nobody_known_counts_by_client_alone() {
    let end = end(ask("/public"), nobody_denied(), within);
    end.outcome.unwrap();
    assert_eq!(end.counted, [format!("client:{CLIENT}")]);
    let end = self::end(ask("/echo"), nobody_denied(), within);
    assert_eq!(end.outcome.unwrap_err().code, ProblemCode::InvalidToken);
    assert_eq!(end.counted, [format!("client:{CLIENT}")]);
}

#[test]
fn an_exempt_route_and_an_unknown_path_count_nothing() {
    for path in ["/exempt", "/unknown"] {
        let end = end(ask(path).bearing("token"), nobody_denied(), within);
        assert!(end.counted.is_empty(), "{path}");
    }
}

#[test]
fn who_was_refused_lately_is_refused_without_a_question() {
    let mut denials = DenyCache::default();
    denials.deny(&format!("client:{CLIENT}"), 9, NOW - 5);
    denials.deny("subject:user", 60, NOW);
    let refused = end(ask("/echo").bearing("token"), &denials, within);
    assert!(refused.counted.is_empty() && refused.verified == 0);
    let refusal = refused.outcome.unwrap_err();
    assert_eq!(refusal.retry_after, Some(4));
    assert_eq!(refusal.rate_limit.as_deref(), Some("\"client\";r=0;t=4"));
    // The neighbour is asked about; then it is the account that is over its limit.
    let mut neighbour = ask("/echo").bearing("token");
    neighbour
        .headers
        .insert("cf-connecting-ip", "2001:db8:0:2::1".to_owned());
    let refused = end(neighbour, &denials, within);
    assert_eq!(refused.counted, ["client:2001:db8:0:2::/64"]);
    assert_eq!(refused.outcome.unwrap_err().violated.unwrap().name, "subject");
}

#[test]
fn a_binding_that_does_not_answer_lets_pass_and_an_exact_limit_does_not() {
    let silent = |_: &Question| Count::Unknown;
    end(ask("/echo").bearing("token"), nobody_denied(), silent)
        .outcome
        .unwrap();
    let refusal = end(ask("/login"), nobody_denied(), silent).outcome.unwrap_err();
    assert_eq!(refusal.code, ProblemCode::Unavailable);
    assert_eq!(refusal.retry_after, Some(1));
    assert_eq!(refusal.violated, None);
}

#[test]
fn what_an_exact_limit_has_left_is_told_whatever_becomes_of_the_request() {
    let exact = |question: &Question| match question.limit.name.as_str() {
        "sign-in" => Count::WithinBy {
            remaining: 29,
            reset: 2,
        },
        _ => Count::Within,
    };
    let twice = ask("/login").bearing("a, Bearer b");
    let refusal = end(twice, nobody_denied(), exact).outcome.unwrap_err();
    assert_eq!(refusal.code, ProblemCode::AmbiguousCredentials);
    assert_eq!(refusal.rate_limit.as_deref(), Some("\"sign-in\";r=29;t=2"));
}

#[test]
fn no_header_but_the_platforms_says_who_the_client_is() {
    let mut ask = Ask::new("GET", "/public");
    for name in ["x-forwarded-for", "x-real-ip", "true-client-ip"] {
        ask.headers.insert(name, "192.0.2.1".to_owned());
    }
    let end = end(ask, nobody_denied(), within);
    assert_eq!(end.counted, ["client:none"]);
}

#[test]
fn a_public_route_that_exempts_clients_has_the_origin_asked_about_no_invented_refresh_token() {
    let (policy, revocations) = (limited_policy(), nothing_revoked());
    for (path, refreshes) in [("/live", false), ("/public", true), ("/exempt", true)] {
        let mut ask = Ask {
            cookie: Some("__Host-pc_refresh=pcr_invented.1.x".to_owned()),
            ..ask(path)
        };
        let is_refreshed = loop {
            let unknown = |_: &str| TokenVerdict::<AccessClaims>::Unknown;
            match decide(&ask, &Knowledge::of(&policy, &revocations), unknown, NOW) {
                Decision::Count(question) => ask.tally.note(&question.limit, Count::Within),
                Decision::Refresh(_) => break true,
                Decision::Pass(pass) => {
                    let nobodys = (None, CookieFate::Keep);
                    assert_eq!((pass.identity, pass.cookies), nobodys, "{path}");
                    break false;
                }
                other => panic!("{path}: {other:?}"),
            }
        };
        assert_eq!(is_refreshed, refreshes, "{path}");
    }
}
