use super::*;

/// A token by its form: `{"alg":"RS256","typ":"at+jwt","kid":"k"}`, `{}`, and a signature of nothing.
const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImsifQ.e30.AAAA";
const SESSION: Uuid = Uuid::from_u128(1);
const SUBJECT: Uuid = Uuid::from_u128(2);

fn holder() -> AccessClaims {
    AccessClaims {
        sid: SESSION.to_string(),
        sub: SUBJECT.to_string(),
        iat: NOW - 10,
        ..claims()
    }
}

/// Decides on a request with a good token of [`holder`], `later` seconds from now.
fn decide_later(path: &str, revocations: &Revocations, later: i64) -> Result<Option<i64>, Option<Refusal>> {
    let ask = Ask::new("GET", path).bearing(TOKEN);
    match decide(
        &ask,
        &Knowledge::of(&policy(), revocations),
        |_| TokenVerdict::Verified(holder()),
        NOW + later,
    ) {
        Decision::Pass(pass) => Ok(pass.stale),
        Decision::Refuse(refusal) => Err(Some(refusal)),
        Decision::FetchRevocations => Err(None),
        Decision::Preflight(_) => panic!("nobody asks beforehand"),
        Decision::Verify(token) | Decision::Refresh(token) => panic!("{token} is known"),
        Decision::Count(_) => panic!("there are no limits"),
        Decision::AskVenueRoles(_) => panic!("the token names all venues"),
    }
}

fn refused(path: &str, revocations: &Revocations, later: i64) -> Refusal {
    decide_later(path, revocations, later).unwrap_err().unwrap()
}

#[test]
fn the_token_of_an_ended_session_is_refused_whatever_the_route_asks() {
    let revocations = knowing(vec![SESSION], BTreeMap::new());
    for path in ["/echo", "/public/x", "/payout", "/admin"] {
        let refusal = refused(path, &revocations, 0);
        assert_eq!(refusal.code, ProblemCode::InvalidToken, "{path}");
        assert_eq!(
            refusal.challenge.as_deref(),
            Some(r#"Bearer error="invalid_token""#),
            "{path}"
        );
    }
}

#[test]
fn a_token_from_before_a_change_of_its_account_is_refused_as_expired_so_that_the_client_refreshes() {
    let revocations = knowing(Vec::new(), BTreeMap::from([(SUBJECT, NOW)]));
    let refusal = refused("/echo", &revocations, 0);
    assert_eq!(refusal.code, ProblemCode::InvalidToken);
    assert_eq!(
        refusal.challenge.as_deref(),
        Some(r#"Bearer error="invalid_token", error_description="expired""#)
    );
    let earlier = knowing(Vec::new(), BTreeMap::from([(SUBJECT, NOW - 10)]));
    assert_eq!(decide_later("/echo", &earlier, 0), Ok(None));
}

#[test]
fn a_state_of_less_than_five_seconds_is_decided_upon_and_an_older_one_is_renewed_first() {
    let revocations = nothing_revoked();
    assert_eq!(decide_later("/echo", &revocations, 4), Ok(None));
    assert_eq!(decide_later("/echo", &revocations, 5), Err(None));
    assert_eq!(decide_later("/echo", &Revocations::default(), 0), Err(None));
}

#[test]
fn a_state_that_is_due_is_renewed_before_a_token_is_looked_at() {
    let ask = Ask::new("GET", "/echo").bearing(TOKEN);
    let decision = decide(
        &ask,
        &Knowledge::of(&policy(), &Revocations::default()),
        |_| -> TokenVerdict<AccessClaims> { panic!("the token was looked at") },
        NOW,
    );
    assert!(matches!(decision, Decision::FetchRevocations));
}

#[test]
fn what_is_no_token_is_refused_without_asking_what_was_revoked() {
    let ask = Ask::new("GET", "/echo").bearing("not-a-token");
    let decision = decide(
        &ask,
        &Knowledge::of(&policy(), &Revocations::default()),
        |_| TokenVerdict::<AccessClaims>::Unknown,
        NOW,
    );
    let Decision::Refuse(refusal) = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(refusal.code, ProblemCode::InvalidToken);
}

#[test]
fn requests_without_a_token_do_not_ask_what_was_revoked() {
    for path in ["/public/x", "/echo", "/nowhere"] {
        let ask = Ask::new("GET", path);
        let decision = decide(
            &ask,
            &Knowledge::of(&policy(), &Revocations::default()),
            |_| TokenVerdict::<AccessClaims>::Unknown,
            NOW,
        );
        assert!(!matches!(decision, Decision::FetchRevocations), "{path}");
    }
}

#[test]
fn without_a_newer_state_sensitive_routes_are_closed_and_others_pass_and_say_so() {
    let mut revocations = nothing_revoked();
    revocations.failed(NOW + 60);
    assert_eq!(decide_later("/echo", &revocations, 60), Ok(Some(60)));
    let refusal = refused("/payout", &revocations, 60);
    assert_eq!(
        (refusal.code, refusal.retry_after),
        (ProblemCode::Unavailable, Some(1))
    );
}

#[test]
fn a_stale_state_serves_for_as_long_as_an_access_token_lives_and_no_longer() {
    let mut revocations = nothing_revoked();
    revocations.failed(NOW + 800);
    assert_eq!(decide_later("/echo", &revocations, 800), Ok(Some(800)));
    revocations.failed(NOW + 961);
    let ask = Ask::new("GET", "/echo").bearing(TOKEN);
    let young = AccessClaims {
        exp: NOW + 2000,
        ..holder()
    };
    let decision = decide(
        &ask,
        &Knowledge::of(&policy(), &revocations),
        |_| TokenVerdict::Verified(young),
        NOW + 961,
    );
    let Decision::Refuse(refusal) = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(refusal.code, ProblemCode::Unavailable);
}

#[test]
fn an_isolate_that_never_learnt_what_was_revoked_lets_no_token_pass() {
    let mut revocations = Revocations::default();
    revocations.failed(NOW);
    assert_eq!(refused("/echo", &revocations, 0).code, ProblemCode::Unavailable);
}

#[test]
fn what_is_known_of_an_ended_session_counts_however_stale_it_is() {
    let mut revocations = knowing(vec![SESSION], BTreeMap::new());
    revocations.failed(NOW + 60);
    assert_eq!(refused("/echo", &revocations, 60).code, ProblemCode::InvalidToken);
}
