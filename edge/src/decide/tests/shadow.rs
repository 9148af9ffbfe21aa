use portcullis_shared::jws::MAX_TOKEN_BYTES;

use super::*;
use crate::browser::CookieFate;
use crate::decide::Pass;
use crate::tally::Count;
use crate::venue_roles::Question;

/// One table, with every route in this mode.
fn policy_in(mode: &str) -> Policy {
    let table = r#"{"issuer": "i", "audience": "a", "routes": [
        {"path": "/echo", "upstream": "app", "authenticated": true, "mode": "MODE", "max_body_bytes": 100},
        {"path": "/public", "upstream": "app", "public": true, "mode": "MODE"},
        {"path": "/check", "methods": ["GET"], "forward_auth": true, "authenticated": true, "mode": "MODE"},
        {"path": "/admin", "upstream": "app", "require": {"role": "admin"}, "mode": "MODE"},
        {"path": "/venues/{id}/x", "upstream": "app", "require": {"permission": "events:create"}, "venue": "id", "mode": "MODE"},
        {"path": "/withdraw", "upstream": "app", "authenticated": true, "step_up": {"acr": "aal2"}, "mode": "MODE"},
        {"path": "/payout", "upstream": "app", "authenticated": true, "sensitive": true, "mode": "MODE"}
    ]}"#;
    Policy::parse(&table.replace("MODE", mode)).unwrap()
}

/// What becomes of a request: who passes, and what with; or the refusal.
#[derive(Debug)]
struct Passed {
    identity: Option<AccessClaims>,
    would_be: Option<ProblemCode>,
    withholds_bearer: bool,
    cookies: CookieFate,
}

fn shadowed(
    ask: &Ask,
    revocations: &Revocations,
    verdict: TokenVerdict<AccessClaims>,
    now: i64,
) -> Result<Passed, Refusal> {
    let policy = policy_in("shadow");
    match decide(ask, &Knowledge::of(&policy, revocations), |_| verdict, now) {
        Decision::Pass(Pass {
            identity,
            shadow,
            withholds_bearer,
            cookies,
            ..
        }) => Ok(Passed {
            identity,
            would_be: shadow.map(|refusal| refusal.code),
            withholds_bearer,
            cookies,
        }),
        Decision::Refuse(refusal) => Err(refusal),
        Decision::Preflight(_)
        | Decision::Verify(_)
        | Decision::FetchRevocations
        | Decision::Refresh(_)
        | Decision::Count(_)
        | Decision::AskVenueRoles(_) => {
            panic!("all is known")
        }
    }
}

fn with_claims(path: &str, claims: AccessClaims) -> Passed {
    let ask = Ask::new("GET", path).bearing("token");
    shadowed(&ask, &nothing_revoked(), TokenVerdict::Verified(claims), NOW).unwrap()
}

#[test]
fn a_request_that_meets_the_gate_passes_as_if_the_route_were_enforced() {
    let passed = with_claims("/echo", claims());
    assert_eq!(passed.identity, Some(claims()));
    assert_eq!((passed.would_be, passed.withholds_bearer), (None, false));
}

#[test]
fn a_known_caller_who_may_not_passes_with_identity_and_with_what_it_would_have_been() {
    for (path, code) in [
        ("/admin", ProblemCode::Forbidden),
        ("/venues/v/x", ProblemCode::Forbidden),
        ("/withdraw", ProblemCode::StepUpRequired),
    ] {
        let passed = with_claims(path, claims());
        assert_eq!(passed.identity, Some(claims()), "{path}");
        assert_eq!(
            (passed.would_be, passed.withholds_bearer),
            (Some(code), false),
            "{path}"
        );
    }
}

#[test]
fn a_bearer_token_that_is_not_good_goes_no_further_than_the_edge() {
    let no_keys = TokenVerdict::NoKeys { retry_after: 3 };
    let expired = AccessClaims {
        exp: NOW - 100,
        ..claims()
    };
    for (verdict, code) in [
        (
            TokenVerdict::Refused(TokenError::unknown_key()),
            ProblemCode::InvalidToken,
        ),
        (TokenVerdict::Verified(expired), ProblemCode::InvalidToken),
        (no_keys, ProblemCode::Unavailable),
    ] {
        for path in ["/echo", "/public", "/check"] {
            let ask = Ask::new("GET", path).bearing("token");
            let passed = shadowed(&ask, &nothing_revoked(), verdict.clone(), NOW).unwrap();
            assert_eq!(passed.identity, None, "{path}");
            assert_eq!(
                (passed.would_be, passed.withholds_bearer),
                (Some(code), true),
                "{path}"
            );
        }
    }
    let too_long = Ask::new("GET", "/echo").bearing(&"a".repeat(MAX_TOKEN_BYTES + 1));
    assert!(
        shadowed(&too_long, &nothing_revoked(), TokenVerdict::Unknown, NOW)
            .unwrap()
            .withholds_bearer
    );
}

#[test]
fn without_a_token_nothing_is_withheld_and_another_scheme_stays_the_upstreams() {
    for authorization in [None, Some("Basic dXNlcjpwYXNz".to_owned())] {
        let ask = Ask {
            authorization,
            ..Ask::new("GET", "/echo")
        };
        let passed = shadowed(&ask, &nothing_revoked(), TokenVerdict::Unknown, NOW).unwrap();
        assert_eq!(passed.would_be, Some(ProblemCode::InvalidToken));
        assert!(!passed.withholds_bearer);
    }
}

#[test]
fn the_first_reason_is_the_one_that_is_noted() {
    let policy = policy_in("shadow");
    let ask = Ask::new("GET", "/admin").bearing("token");
    let refused = TokenVerdict::<AccessClaims>::Refused(TokenError::unknown_key());
    let revocations = nothing_revoked();
    let decision = decide(&ask, &Knowledge::of(&policy, &revocations), |_| refused, NOW);
    let Decision::Pass(pass) = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(pass.shadow.unwrap().reason, TokenError::unknown_key().to_string());
}

#[test]
fn a_feed_that_cannot_be_had_is_noted_and_refuses_nobody() {
    let mut revocations = nothing_revoked();
    let later = NOW + 60;
    assert!(revocations.begin_renewal(later));
    revocations.failed(later);
    let ask = Ask::new("GET", "/payout").bearing("token");
    let passed = shadowed(&ask, &revocations, TokenVerdict::Verified(claims()), later).unwrap();
    assert_eq!(passed.would_be, Some(ProblemCode::Unavailable));
    // Whether its session has ended is not known.
    assert_eq!(passed.identity, None);
    assert!(passed.withholds_bearer);
}

#[test]
fn a_session_that_has_ended_passes_as_nobody_and_its_cookies_are_forgotten() {
    let session = Uuid::from_u128(1);
    let holder = AccessClaims {
        sid: session.to_string(),
        sub: Uuid::from_u128(2).to_string(),
        ..claims()
    };
    let ask = Ask {
        cookie: Some("__Host-pc_access=a.b.c; __Host-pc_refresh=pcr_a.1.b".to_owned()),
        ..Ask::new("GET", "/echo")
    };
    let revocations = knowing(vec![session], BTreeMap::new());
    let passed = shadowed(&ask, &revocations, TokenVerdict::Verified(holder), NOW).unwrap();
    assert_eq!(passed.identity, None);
    assert_eq!(passed.would_be, Some(ProblemCode::InvalidToken));
    assert_eq!(passed.cookies, CookieFate::Clear);
}

#[test]
fn a_session_that_could_not_be_refreshed_is_noted_and_keeps_its_cookies() {
    for (renewal, code) in [
        (Renewal::Failed { retry_after: 1 }, ProblemCode::Unavailable),
        (Renewal::Limited { retry_after: 1 }, ProblemCode::RateLimited),
    ] {
        let ask = Ask {
            cookie: Some("__Host-pc_refresh=pcr_a.1.b".to_owned()),
            renewal,
            ..Ask::new("GET", "/echo")
        };
        let passed = shadowed(&ask, &nothing_revoked(), TokenVerdict::Unknown, NOW).unwrap();
        assert_eq!(passed.would_be, Some(code));
        assert_eq!(passed.cookies, CookieFate::Keep);
    }
}

#[test]
fn what_protects_a_request_is_enforced_in_shadow_too() {
    let cookie = Some("__Host-pc_access=a.b.c".to_owned());
    for (ask, code) in [
        (Ask::new("GET", "/echo//x"), ProblemCode::MalformedPath),
        (
            Ask {
                authorization: Some("Bearer a, Bearer b".to_owned()),
                ..Ask::new("GET", "/echo")
            },
            ProblemCode::AmbiguousCredentials,
        ),
        (
            Ask {
                cookie: cookie.clone(),
                headers: BTreeMap::from([("sec-fetch-site", "cross-site".to_owned())]),
                ..Ask::new("POST", "/echo")
            },
            ProblemCode::CsrfRejected,
        ),
        (Ask::new("POST", "/check"), ProblemCode::MethodNotAllowed),
        (Ask::new("GET", "/elsewhere"), ProblemCode::NotFound),
        (
            Ask {
                headers: BTreeMap::from([("content-length", "101".to_owned())]),
                ..Ask::new("POST", "/echo")
            },
            ProblemCode::PayloadTooLarge,
        ),
    ] {
        let refusal = shadowed(&ask, &nothing_revoked(), TokenVerdict::Unknown, NOW).unwrap_err();
        assert_eq!(refusal.code, code, "{} {}", ask.method, ask.url);
    }
}

#[test]
fn whoever_is_over_a_limit_or_cannot_be_counted_passes_and_counts_no_further_as_if_refused() {
    let policy = Policy::parse(
        r#"{"issuer": "i", "audience": "a", "limits": [
            {"name": "client", "by": "client", "limit": 100, "window_seconds": 60, "exact": true},
            {"name": "subject", "by": "subject", "limit": 50, "window_seconds": 60, "binding": "B"}
        ], "routes": [{"path": "/echo", "upstream": "app", "authenticated": true, "limit": ["client", "subject"], "mode": "shadow"}]}"#,
    )
    .unwrap();
    let revocations = nothing_revoked();
    for (count, code) in [
        (Count::Over { retry_after: 7 }, ProblemCode::RateLimited),
        (Count::Unknown, ProblemCode::Unavailable),
    ] {
        let mut ask = Ask::new("GET", "/echo").bearing("token");
        let mut counted = Vec::new();
        let shadow = loop {
            let verdict = TokenVerdict::Verified(claims());
            match decide(&ask, &Knowledge::of(&policy, &revocations), |_| verdict, NOW) {
                Decision::Count(question) => {
                    counted.push(question.limit.name.clone());
                    ask.tally.note(&question.limit, count);
                }
                Decision::Pass(pass) => break pass.shadow.unwrap(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(shadow.code, code);
        assert_eq!(counted, ["client"]);
    }
}

#[test]
fn roles_that_the_origin_cannot_be_asked_about_are_noted_and_refuse_nobody() {
    let venue = "22222222-2222-7222-8222-222222222222";
    let claims = AccessClaims {
        sub: Uuid::from_u128(1).to_string(),
        tenant_id: Uuid::from_u128(2).to_string(),
        venues_truncated: true,
        ..claims()
    };
    let mut venue_roles = VenueRoles::default();
    venue_roles.failed(&Question::of(&claims, venue).unwrap(), NOW);
    let (policy, revocations) = (policy_in("shadow"), nothing_revoked());
    let knowledge = Knowledge {
        venue_roles: &venue_roles,
        ..Knowledge::of(&policy, &revocations)
    };
    let ask = Ask::new("GET", &format!("/venues/{venue}/x")).bearing("token");
    let verdict = TokenVerdict::Verified(claims);
    let Decision::Pass(pass) = decide(&ask, &knowledge, |_| verdict, NOW) else {
        panic!("nobody is refused");
    };
    assert_eq!(pass.shadow.unwrap().code, ProblemCode::Unavailable);
    assert!(pass.identity.is_some() && !pass.withholds_bearer);
}

proptest! {
    #[test]
    fn who_is_not_refused_when_enforced_notes_nothing_and_who_is_passes(
        role in prop::option::of("customer|admin"), acr in prop::option::of("aal1|aal2"), path in "/(echo|admin|withdraw|payout|venues/v/x)",
        exp in NOW - 10..NOW + 10, bears in any::<bool>(),
    ) {
        let ask = Ask::new("GET", &path);
        let ask = if bears { ask.bearing("token") } else { ask };
        let claims = AccessClaims { role, acr, exp, ..claims() };
        let enforced = policy_in("enforce");
        let revocations = nothing_revoked();
        let decision = decide(&ask, &Knowledge::of(&enforced, &revocations), |_| TokenVerdict::Verified(claims.clone()), NOW);
        let refused = match decision {
            Decision::Refuse(refusal) => Some(refusal.code),
            Decision::Pass(_) => None,
            other => panic!("{other:?}"),
        };
        let passed = shadowed(&ask, &revocations, TokenVerdict::Verified(claims), NOW).unwrap();
        prop_assert_eq!(passed.would_be, refused);
    }
}
