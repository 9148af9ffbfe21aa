use std::collections::BTreeMap;
use std::sync::LazyLock;

use portcullis_shared::claims::{AccessClaims, Audience};
use portcullis_shared::error::TokenError;
use portcullis_shared::problem::ProblemCode;
use portcullis_shared::revocation::Feed;
use proptest::prelude::*;
use uuid::Uuid;

use super::{Decision, Knowledge, Refusal, RequestView, TokenVerdict, decide};
use crate::browser::Renewal;
use crate::deny_cache::DenyCache;
use crate::policy::{Destination, Methods, Policy};
use crate::revocations::Revocations;
use crate::tally::Tally;
use crate::venue_roles::VenueRoles;

mod body;
mod cookies;
mod gate;
mod limits;
mod preflight;
mod revocation;
mod shadow;
mod venue_roles;

const NOW: i64 = 1_800_000_000;
const VENUE: &str = "11111111-1111-7111-8111-111111111111";

#[derive(Default)]
struct Ask {
    method: String,
    url: String,
    authorization: Option<String>,
    cookie: Option<String>,
    headers: BTreeMap<&'static str, String>,
    renewal: Renewal,
    tally: Tally,
}

impl Ask {
    fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            url: format!("https://edge.example{path}"),
            ..Self::default()
        }
    }

    fn bearing(self, token: &str) -> Self {
        Self {
            authorization: Some(format!("Bearer {token}")),
            ..self
        }
    }
}

impl RequestView for Ask {
    fn method(&self) -> &str {
        &self.method
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).cloned()
    }

    fn renewal(&self) -> &Renewal {
        &self.renewal
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

fn policy() -> Policy {
    Policy::parse(
        r#"{"issuer": "i", "audience": "a", "routes": [
            {"path": "/public/*", "upstream": "app", "public": true},
            {"path": "/echo", "upstream": "app", "authenticated": true},
            {"path": "/check", "methods": ["GET"], "forward_auth": true, "authenticated": true},
            {"path": "/purchase", "methods": ["POST"], "upstream": "app", "require": {"permission": "tickets:purchase"}, "max_body_bytes": 100},
            {"path": "/admin", "methods": ["GET"], "upstream": "app", "require": {"role": "admin"}},
            {"path": "/venues/{id}/tickets", "upstream": "app", "require": {"permission": "tickets:view"}, "venue": "id"},
            {"path": "/venues/{id}/door", "upstream": "app", "require": {"role": "door-staff"}, "venue": "id"},
            {"path": "/withdraw", "methods": ["POST"], "upstream": "app", "authenticated": true, "step_up": {"max_age": 300, "acr": "aal2"}},
            {"path": "/payout", "upstream": "app", "authenticated": true, "sensitive": true},
            {"path": "/recent", "upstream": "app", "authenticated": true, "step_up": {"max_age": 60}}
        ]}"#,
    )
    .unwrap()
}

fn claims() -> AccessClaims {
    AccessClaims {
        iss: "i".to_owned(),
        aud: Audience::One("a".to_owned()),
        sub: "user".to_owned(),
        exp: NOW + 900,
        iat: NOW,
        nbf: None,
        jti: "jti".to_owned(),
        client_id: None,
        sid: "session".to_owned(),
        tenant_id: "tenant".to_owned(),
        role: Some("customer".to_owned()),
        permissions: vec!["tickets:purchase".to_owned()],
        venues: BTreeMap::from([(VENUE.to_owned(), vec!["door-staff".to_owned()])]),
        venues_truncated: false,
        auth_time: Some(NOW - 30),
        amr: vec!["pwd".to_owned()],
        acr: Some("aal1".to_owned()),
    }
}

impl<'k> Knowledge<'k> {
    fn of(policy: &'k Policy, revocations: &'k Revocations) -> Self {
        static NOTHING_ASKED: LazyLock<VenueRoles> = LazyLock::new(VenueRoles::default);
        Self {
            policy,
            revocations,
            venue_roles: &NOTHING_ASKED,
            csrf_keys: &[],
            denials: nobody_denied(),
        }
    }
}

/// A memory of refusals that lives as long as any test.
fn nobody_denied() -> &'static DenyCache {
    Box::leak(Box::default())
}

fn nothing_revoked() -> Revocations {
    knowing(Vec::new(), BTreeMap::new())
}

/// What an isolate knows that was just told of these sessions and subjects.
fn knowing(sessions: Vec<Uuid>, subjects: BTreeMap<Uuid, i64>) -> Revocations {
    let mut revocations = Revocations::default();
    let feed = Feed {
        as_of: NOW,
        epoch: 1,
        seq: 1,
        since: None,
        lifetime: 960,
        key_set_version: 0,
        sessions,
        subjects,
    };
    revocations.take_in(feed, NOW, NOW).unwrap();
    revocations
}

fn verdict(ask: &Ask, verdict: TokenVerdict<AccessClaims>) -> Result<Option<AccessClaims>, Refusal> {
    match decide(
        ask,
        &Knowledge::of(&policy(), &nothing_revoked()),
        |_| verdict,
        NOW,
    ) {
        Decision::Pass(pass) => Ok(pass.identity),
        Decision::Refuse(refusal) => Err(refusal),
        Decision::Preflight(_) => panic!("nobody asks beforehand"),
        Decision::Verify(token) => panic!("nobody knows {token}"),
        Decision::Count(_) => panic!("there are no limits"),
        Decision::FetchRevocations => panic!("what was revoked is known"),
        Decision::Refresh(_) => panic!("there are no cookies"),
        Decision::AskVenueRoles(_) => panic!("the token names all venues"),
    }
}

fn with(ask: Ask, claims: AccessClaims) -> Result<Option<AccessClaims>, Refusal> {
    verdict(&ask.bearing("token"), TokenVerdict::Verified(claims))
}

fn without(ask: &Ask) -> Result<Option<AccessClaims>, Refusal> {
    verdict(ask, TokenVerdict::Unknown)
}

#[test]
fn a_public_route_passes_without_a_token_and_attaches_the_identity_of_a_good_one() {
    assert_eq!(without(&Ask::new("GET", "/public/x")).unwrap(), None);
    assert_eq!(
        with(Ask::new("GET", "/public/x"), claims()).unwrap(),
        Some(claims())
    );
}

#[test]
fn a_bad_token_on_a_public_route_is_refused() {
    let ask = Ask::new("GET", "/public/x").bearing("token");
    let refusal = verdict(&ask, TokenVerdict::Refused(TokenError::unknown_key())).unwrap_err();
    assert_eq!(refusal.code, ProblemCode::InvalidToken);
    let ask = Ask {
        authorization: Some("Bearer ".to_owned()),
        ..Ask::new("GET", "/public/x")
    };
    assert_eq!(without(&ask).unwrap_err().code, ProblemCode::InvalidToken);
}

#[test]
fn another_scheme_on_a_public_route_is_the_upstreams_to_judge() {
    let ask = Ask {
        authorization: Some("Basic dXNlcjpwYXNz".to_owned()),
        ..Ask::new("POST", "/public/x")
    };
    assert_eq!(without(&ask).unwrap(), None);
    let ask = Ask {
        authorization: Some("Basic dXNlcjpwYXNz".to_owned()),
        ..Ask::new("POST", "/echo")
    };
    assert_eq!(without(&ask).unwrap_err().challenge.as_deref(), Some("Bearer"));
}

#[test]
fn a_request_without_a_token_is_challenged_without_an_error_code() {
    let refusal = without(&Ask::new("GET", "/echo")).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.challenge.as_deref()),
        (ProblemCode::InvalidToken, Some("Bearer"))
    );
}

#[test]
fn a_refused_token_says_only_whether_it_expired() {
    let ask = Ask::new("GET", "/echo").bearing("token");
    let expired = AccessClaims {
        exp: NOW - 6,
        ..claims()
    };
    let refusal = verdict(&ask, TokenVerdict::Verified(expired)).unwrap_err();
    assert_eq!(
        refusal.challenge.as_deref(),
        Some(r#"Bearer error="invalid_token", error_description="expired""#)
    );
    let refusal = verdict(&ask, TokenVerdict::Refused(TokenError::unknown_key())).unwrap_err();
    assert_eq!(
        refusal.challenge.as_deref(),
        Some(r#"Bearer error="invalid_token""#)
    );
}

#[test]
fn a_token_nobody_knows_is_to_be_verified() {
    let ask = Ask::new("GET", "/echo").bearing("token");
    let decision = decide(
        &ask,
        &Knowledge::of(&policy(), &nothing_revoked()),
        |_| TokenVerdict::<AccessClaims>::Unknown,
        NOW,
    );
    assert!(matches!(decision, Decision::Verify("token")));
}

#[test]
fn a_token_is_not_looked_at_where_the_request_fails_without_it() {
    for (method, path) in [("GET", "/nowhere"), ("DELETE", "/check"), ("GET", "/public//x")] {
        let ask = Ask::new(method, path).bearing("token");
        let known = |_: &str| -> TokenVerdict<AccessClaims> { panic!("asked about the token for {path}") };
        assert!(matches!(
            decide(&ask, &Knowledge::of(&policy(), &nothing_revoked()), known, NOW),
            Decision::Refuse(_)
        ));
    }
}

#[test]
fn without_keys_the_answer_is_503_and_when_to_come_back() {
    let ask = Ask::new("GET", "/echo").bearing("token");
    let refusal = verdict(&ask, TokenVerdict::NoKeys { retry_after: 4 }).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.retry_after),
        (ProblemCode::Unavailable, Some(4))
    );
}

#[test]
fn unknown_paths_are_404_and_wrong_verbs_405() {
    for path in ["/", "/nowhere", "/public", "/echo/x", "/check/"] {
        assert_eq!(
            without(&Ask::new("GET", path)).unwrap_err().code,
            ProblemCode::NotFound,
            "{path}"
        );
    }
    for method in ["GET", "BREW", "post", "TRACE", ""] {
        let refusal = without(&Ask::new(method, "/purchase")).unwrap_err();
        assert_eq!(
            (refusal.code, refusal.allow.map(Methods::list).as_deref()),
            (ProblemCode::MethodNotAllowed, Some("POST")),
            "{method}"
        );
    }
    assert_eq!(
        without(&Ask::new("POST", "/admin"))
            .unwrap_err()
            .allow
            .map(Methods::list)
            .as_deref(),
        Some("GET, HEAD")
    );
}

#[test]
fn malformed_paths_are_refused_before_anything_else_and_two_credentials_before_either_is_looked_at() {
    for path in [
        "/public/../echo",
        "/public/%2e%2e/echo",
        "/public//x",
        "/nowhere/%00",
    ] {
        assert_eq!(
            without(&Ask::new("GET", path)).unwrap_err().code,
            ProblemCode::MalformedPath,
            "{path}"
        );
    }
    let ask = Ask {
        authorization: Some("Bearer a, Bearer a".to_owned()),
        ..Ask::new("GET", "/public/x")
    };
    assert_eq!(without(&ask).unwrap_err().code, ProblemCode::AmbiguousCredentials);
}

#[test]
fn a_permission_must_be_among_the_global_ones() {
    let ask = || Ask::new("POST", "/purchase");
    assert!(with(ask(), claims()).is_ok());
    let refusal = with(
        ask(),
        AccessClaims {
            permissions: Vec::new(),
            ..claims()
        },
    )
    .unwrap_err();
    assert_eq!(refusal.code, ProblemCode::Forbidden);
    assert_eq!(
        refusal.challenge.as_deref(),
        Some(r#"Bearer error="insufficient_scope""#)
    );
    assert!(
        with(
            ask(),
            AccessClaims {
                permissions: vec!["*".to_owned()],
                ..claims()
            }
        )
        .is_ok()
    );
}

#[test]
fn a_role_must_be_the_global_one() {
    let ask = || Ask::new("GET", "/admin");
    assert_eq!(with(ask(), claims()).unwrap_err().code, ProblemCode::Forbidden);
    assert!(
        with(
            ask(),
            AccessClaims {
                role: Some("admin".to_owned()),
                ..claims()
            }
        )
        .is_ok()
    );
    assert!(
        with(
            ask(),
            AccessClaims {
                role: None,
                permissions: vec!["*".to_owned()],
                ..claims()
            }
        )
        .is_err()
    );
}

#[test]
fn a_venues_gate_looks_at_the_roles_held_there_and_nowhere_else() {
    let tickets = |venue: &str| Ask::new("GET", &format!("/venues/{venue}/tickets"));
    assert!(with(tickets(VENUE), claims()).is_ok());
    for venue in ["22222222-1111-7111-8111-111111111111", "%31", "*"] {
        assert_eq!(
            with(tickets(venue), claims()).unwrap_err().code,
            ProblemCode::Forbidden,
            "{venue}"
        );
    }
    let everywhere = AccessClaims {
        permissions: vec!["tickets:view".to_owned()],
        role: Some("venue-owner".to_owned()),
        venues: BTreeMap::new(),
        ..claims()
    };
    assert!(
        with(tickets(VENUE), everywhere).is_err(),
        "global permissions are not held at a venue"
    );
    assert!(with(Ask::new("GET", &format!("/venues/{VENUE}/door")), claims()).is_ok());
    let owner = AccessClaims {
        venues: BTreeMap::from([(VENUE.to_owned(), vec!["venue-owner".to_owned()])]),
        ..claims()
    };
    assert!(with(tickets(VENUE), owner).is_ok());
}

#[test]
fn step_up_asks_for_a_recent_and_strong_enough_authentication() {
    let strong = AccessClaims {
        acr: Some("aal2".to_owned()),
        ..claims()
    };
    let withdraw = |claims| with(Ask::new("POST", "/withdraw"), claims);
    assert!(withdraw(strong.clone()).is_ok());
    let challenge = r#"Bearer error="insufficient_user_authentication", acr_values="aal2", max_age=300"#;
    for claims in [
        claims(),
        AccessClaims {
            auth_time: Some(NOW - 301),
            ..strong.clone()
        },
        AccessClaims {
            auth_time: None,
            ..strong.clone()
        },
        AccessClaims {
            acr: None,
            ..strong.clone()
        },
        AccessClaims {
            acr: Some("aal3".to_owned()),
            ..strong.clone()
        },
    ] {
        let refusal = withdraw(claims).unwrap_err();
        assert_eq!(
            (refusal.code, refusal.challenge.as_deref()),
            (ProblemCode::StepUpRequired, Some(challenge))
        );
    }
    assert!(
        withdraw(AccessClaims {
            auth_time: Some(NOW - 300),
            ..strong
        })
        .is_ok()
    );
    let refusal = with(
        Ask::new("GET", "/recent"),
        AccessClaims {
            auth_time: Some(NOW - 61),
            ..claims()
        },
    )
    .unwrap_err();
    assert_eq!(
        refusal.challenge.as_deref(),
        Some(r#"Bearer error="insufficient_user_authentication", max_age=60"#)
    );
}

#[test]
fn a_route_may_be_answered_by_the_edge_itself() {
    let ask = Ask::new("GET", "/check").bearing("token");
    let Decision::Pass(pass) = decide(
        &ask,
        &Knowledge::of(&policy(), &nothing_revoked()),
        |_| TokenVerdict::Verified(claims()),
        NOW,
    ) else {
        panic!("it does not pass");
    };
    assert_eq!(pass.route.destination, Destination::ForwardAuth);
}

proptest! {
    #[test]
    fn no_request_makes_it_panic(
        method in any::<String>(), url in any::<String>(), authorization in any::<Option<String>>(), cookie in any::<Option<String>>(),
    ) {
        let headers = BTreeMap::from([("content-length", "x".to_owned())]);
        let ask = Ask { method, url, authorization, cookie, headers, ..Ask::default() };
        let _ = decide(&ask, &Knowledge::of(&policy(), &nothing_revoked()), |_| TokenVerdict::Verified(claims()), NOW);
    }

    #[test]
    fn nothing_but_public_routes_passes_without_a_token(method in "(GET|POST|PUT|HEAD)", path in "(/(public|echo|check|admin|withdraw|purchase|%65cho|\\.\\.|x|;|Echo)){1,3}/?") {
        let ask = Ask::new(&method, &path);
        if let Decision::Pass(pass) = decide(&ask, &Knowledge::of(&policy(), &nothing_revoked()), |_| TokenVerdict::<AccessClaims>::Unknown, NOW) {
            prop_assert!(pass.target.path().starts_with("/public/"));
        }
    }
}
