use super::super::RolesAtVenue;
use super::*;
use crate::venue_roles::{Question, Turn};

/// In no token here.
const UNNAMED: &str = "22222222-2222-7222-8222-222222222222";

/// The claims of somebody with more venues than a token names.
fn truncated() -> AccessClaims {
    AccessClaims {
        sub: Uuid::from_u128(1).to_string(),
        tenant_id: Uuid::from_u128(2).to_string(),
        venues_truncated: true,
        ..claims()
    }
}

fn decide_on<'r>(ask: &'r Ask, claims: AccessClaims, venue_roles: &VenueRoles) -> Decision<'r, AccessClaims> {
    let (policy, revocations) = (policy(), nothing_revoked());
    let knowledge = Knowledge {
        venue_roles,
        ..Knowledge::of(&policy, &revocations)
    };
    decide(ask, &knowledge, |_| TokenVerdict::Verified(claims), NOW)
}

fn tickets(venue: &str) -> Ask {
    Ask::new("GET", &format!("/venues/{venue}/tickets")).bearing("token")
}

fn question() -> Question {
    Question::of(&truncated(), UNNAMED).unwrap()
}

fn knowing_roles(roles: &[&str]) -> VenueRoles {
    let mut known = VenueRoles::default();
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    known.answered(&question(), roles, NOW);
    known
}

#[test]
fn the_origin_is_asked_about_a_venue_that_a_truncated_token_does_not_name() {
    let ask = tickets(UNNAMED);
    let decision = decide_on(&ask, truncated(), &VenueRoles::default());
    assert!(matches!(decision, Decision::AskVenueRoles(asked) if asked == question()));
}

#[test]
fn roles_that_the_origin_has_named_decide_like_those_in_a_token_and_go_on() {
    let ask = tickets(UNNAMED);
    let Decision::Pass(pass) = decide_on(&ask, truncated(), &knowing_roles(&["door-staff"])) else {
        panic!("door staff may view tickets");
    };
    let held = RolesAtVenue {
        venue: UNNAMED.to_owned(),
        roles: vec!["door-staff".to_owned()],
    };
    assert_eq!(pass.venue_roles, Some(held));
    for roles in [&[][..], &["unheard-of"]] {
        let decision = decide_on(&ask, truncated(), &knowing_roles(roles));
        assert!(
            matches!(&decision, Decision::Refuse(refusal) if refusal.code == ProblemCode::Forbidden),
            "{decision:?}"
        );
    }
    let door = Ask::new("GET", &format!("/venues/{UNNAMED}/door")).bearing("token");
    assert!(matches!(
        decide_on(&door, truncated(), &knowing_roles(&["venue-owner"])),
        Decision::Refuse(refusal) if refusal.code == ProblemCode::Forbidden
    ));
}

#[test]
fn a_venue_that_the_token_names_is_not_asked_about() {
    let ask = tickets(VENUE);
    let Decision::Pass(pass) = decide_on(&ask, truncated(), &VenueRoles::default()) else {
        panic!("the token names the venue");
    };
    assert_eq!(pass.venue_roles, None);
}

#[test]
fn nothing_is_asked_for_a_whole_token_or_about_what_is_no_venue() {
    let whole = AccessClaims {
        venues_truncated: false,
        ..truncated()
    };
    let foreign = AccessClaims {
        sub: "user".to_owned(),
        ..truncated()
    };
    for (venue, claims) in [
        (UNNAMED, whole),
        (UNNAMED, foreign),
        ("*", truncated()),
        ("22222222222272228222222222222222", truncated()),
        ("{22222222-2222-7222-8222-222222222222}", truncated()),
        ("AAAAAAAA-2222-7222-8222-222222222222", truncated()),
        ("22222222-2222-7222-8222-22222222222", truncated()),
    ] {
        let ask = tickets(venue);
        let decision = decide_on(&ask, claims, &VenueRoles::default());
        assert!(
            matches!(&decision, Decision::Refuse(refusal) if refusal.code == ProblemCode::Forbidden),
            "{venue}: {decision:?}"
        );
    }
}

#[test]
fn nothing_passes_while_the_origin_cannot_be_asked() {
    let mut known = VenueRoles::default();
    assert_eq!(known.begin(&question(), NOW), Turn::Ask);
    known.failed(&question(), NOW);
    let ask = tickets(UNNAMED);
    let Decision::Refuse(refusal) = decide_on(&ask, truncated(), &known) else {
        panic!("nobody knows what is held there");
    };
    assert_eq!(
        (refusal.code, refusal.retry_after),
        (ProblemCode::Unavailable, Some(1))
    );
    assert!(refusal.route.is_some());
    let named = tickets(VENUE);
    assert!(matches!(
        decide_on(&named, truncated(), &known),
        Decision::Pass(_)
    ));
}

#[test]
fn a_route_without_a_venue_asks_for_nothing() {
    for path in ["/echo", "/public/x", &format!("/public/{UNNAMED}")] {
        let ask = Ask::new("GET", path).bearing("token");
        assert!(
            matches!(
                decide_on(&ask, truncated(), &VenueRoles::default()),
                Decision::Pass(_)
            ),
            "{path}"
        );
    }
}

#[test]
fn what_the_origin_tells_the_edge_is_never_forwarded() {
    let policy = Policy::parse(
        r#"{"issuer": "i", "audience": "a", "routes": [{"path": "/*", "upstream": "app", "public": true}]}"#,
    )
    .unwrap();
    let revocations = nothing_revoked();
    for path in [
        "/edge/revocations",
        "/edge/venue-roles",
        "/edge/venue-roles?tenant=1&subject=2&venue=3",
    ] {
        let ask = Ask::new("GET", path);
        let decision = decide(
            &ask,
            &Knowledge::of(&policy, &revocations),
            |_| TokenVerdict::<AccessClaims>::Unknown,
            NOW,
        );
        assert!(
            matches!(&decision, Decision::Refuse(refusal) if refusal.code == ProblemCode::NotFound),
            "{path}: {decision:?}"
        );
    }
}
