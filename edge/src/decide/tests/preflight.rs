//! Preflights, and what cross-origin requests are answered with.

use portcullis_shared::problem::ProblemCode;
use serde_json::Value;

use super::{Ask, NOW, nothing_revoked};
use crate::answer::Answer;
use crate::decide::{Decision, Knowledge, Preflight, TokenVerdict, decide};
use crate::policy::Policy;
use portcullis_shared::claims::AccessClaims;

const PAGE: &str = "https://app.example";

fn policy() -> Policy {
    Policy::parse(
        r#"{"issuer": "i", "audience": "a", "cors": {"origins": ["https://app.example"], "credentials": true, "max_age": 60},
            "routes": [
            {"path": "/any", "upstream": "app", "authenticated": true},
            {"path": "/read", "methods": ["GET"], "upstream": "app", "authenticated": true},
            {"path": "/read", "methods": ["PUT", "OPTIONS"], "upstream": "app", "public": true,
             "cors": {"origins": ["https://editor.example"], "headers": ["x-own"]}},
            {"path": "/own", "upstream": "app", "public": true, "cors": false},
            {"path": "/*", "upstream": "app", "public": true}
        ]}"#,
    )
    .unwrap()
}

fn ask(path: &str, origin: &str, method: &str, headers: &str) -> Ask {
    let mut ask = Ask::new("OPTIONS", path);
    for (name, value) in [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", headers),
    ] {
        if !value.is_empty() {
            ask.headers.insert(name, value.to_owned());
        }
    }
    ask
}

/// What is decided: the preflight, or the code of a refusal, or `None` for what passes.
fn decided(ask: &Ask) -> Result<Option<Preflight>, ProblemCode> {
    let (policy, revocations) = (policy(), nothing_revoked());
    let known = |_: &str| -> TokenVerdict<AccessClaims> { panic!("a credential was looked at") };
    match decide(ask, &Knowledge::of(&policy, &revocations), known, NOW) {
        Decision::Preflight(preflight) => Ok(Some(preflight)),
        Decision::Pass(_) => Ok(None),
        Decision::Refuse(refusal) => Err(refusal.code),
        Decision::Count(_)
        | Decision::Verify(_)
        | Decision::FetchRevocations
        | Decision::Refresh(_)
        | Decision::AskVenueRoles(_) => {
            panic!("more than the request was looked at")
        }
    }
}

fn preflight(ask: &Ask) -> Preflight {
    decided(ask).unwrap().expect("a preflight")
}

fn headers(answer: &Answer<'_>) -> Value {
    let headers = answer.headers.iter();
    headers
        .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_ref())))
        .collect()
}

#[test]
fn a_preflight_is_answered_before_any_credential_is_looked_at() {
    let asked = ask("/any", PAGE, "DELETE", "authorization, content-type");
    let with_two_credentials = Ask {
        cookie: Some("__Host-pc_access=a.b.c".to_owned()),
        ..ask("/any", PAGE, "DELETE", "").bearing("token")
    };
    for ask in [asked, with_two_credentials] {
        let preflight = preflight(&ask);
        let answer = Answer::to_preflight(&preflight, "12345678", true);
        assert_eq!((answer.status, &answer.body), (204, &None));
        let headers = headers(&answer);
        assert_eq!(headers["access-control-allow-origin"], PAGE);
        assert_eq!(headers["access-control-allow-credentials"], "true");
        assert_eq!(
            headers["access-control-allow-methods"],
            "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
        );
        assert_eq!(headers["access-control-max-age"], "60");
        assert!(
            headers["access-control-allow-headers"]
                .as_str()
                .unwrap()
                .contains("x-csrf-token")
        );
        assert_eq!(
            headers["vary"],
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(headers["strict-transport-security"].is_string());
    }
}

#[test]
fn the_route_of_the_method_to_come_decides() {
    let editor = "https://editor.example";
    for (origin, method, allowed) in [
        (PAGE, "GET", Some("GET, HEAD")),
        (editor, "GET", None),
        (PAGE, "PUT", None),
        (editor, "PUT", Some("PUT, OPTIONS")),
    ] {
        let preflight = preflight(&ask("/read", origin, method, ""));
        let answer = Answer::to_preflight(&preflight, "12345678", false);
        assert_eq!(
            headers(&answer)["access-control-allow-methods"].as_str(),
            allowed,
            "{origin} {method}"
        );
        assert_eq!(preflight.outcome.is_ok(), allowed.is_some());
        let credentials = &headers(&answer)["access-control-allow-credentials"];
        assert_eq!(credentials.is_string(), allowed.is_some() && origin == PAGE);
    }
}

#[test]
fn a_refused_preflight_says_nothing_of_what_is_allowed() {
    for ask in [
        ask("/any", "https://evil.example", "GET", ""),
        ask("/any", "null", "GET", ""),
        ask("/any", "*", "GET", ""),
        ask("/any", PAGE, "GET", "x-not-allowed"),
        ask("/read", "https://editor.example", "PUT", "authorization"),
    ] {
        let preflight = preflight(&ask);
        let answer = Answer::to_preflight(&preflight, "12345678", false);
        assert_eq!(answer.status, 403);
        let headers = headers(&answer);
        let names: Vec<&String> = headers.as_object().unwrap().keys().collect();
        assert!(
            !names.iter().any(|name| name.starts_with("access-control-")),
            "{names:?}"
        );
        assert!(headers["vary"].as_str().unwrap().starts_with("Origin, "));
        assert_eq!(headers["strict-transport-security"], Value::Null);
    }
}

#[test]
fn what_is_no_preflight_goes_on_as_ever() {
    assert_eq!(decided(&ask("/x", PAGE, "", "")), Ok(None));
    assert_eq!(decided(&ask("/x", "", "GET", "")), Ok(None));
    assert_eq!(
        decided(&ask("/any", PAGE, "", "")),
        Err(ProblemCode::InvalidToken)
    );
    let mut get = ask("/x", PAGE, "GET", "");
    get.method = "GET".to_owned();
    assert_eq!(decided(&get), Ok(None));
    // The upstream speaks for itself, and what the table does not know stays unknown.
    assert_eq!(decided(&ask("/own", PAGE, "GET", "")), Ok(None));
    assert_eq!(
        decided(&ask("/read", PAGE, "DELETE", "")),
        Ok(None),
        "an OPTIONS of the table"
    );
    assert_eq!(
        decided(&ask("/x", PAGE, "get", "")),
        Ok(None),
        "methods have a case"
    );
    assert_eq!(
        decided(&ask("/%2e%2e/x", PAGE, "GET", "")),
        Err(ProblemCode::MalformedPath)
    );
}

#[test]
fn a_path_that_a_lenient_upstream_would_take_to_what_is_shared_otherwise_is_refused() {
    let mut get = Ask::new("GET", "/OWN");
    get.headers.insert("origin", PAGE.to_owned());
    assert_eq!(decided(&get), Err(ProblemCode::MalformedPath));
    assert_eq!(
        decided(&ask("/OWN", PAGE, "GET", "")),
        Err(ProblemCode::MalformedPath)
    );
}

#[test]
fn a_refusal_can_be_read_by_pages_that_may_read_the_answer() {
    let (policy, revocations) = (policy(), nothing_revoked());
    let known = |_: &str| TokenVerdict::<AccessClaims>::Unknown;
    let Decision::Refuse(refusal) = decide(
        &Ask::new("GET", "/any"),
        &Knowledge::of(&policy, &revocations),
        known,
        NOW,
    ) else {
        panic!("it is refused")
    };
    let rules = &refusal.route.as_ref().unwrap().answers;
    let answer = |origin| headers(&Answer::refusing(&refusal, "12345678").under(rules, origin, false));
    let readable = answer(Some(PAGE));
    assert_eq!(readable["access-control-allow-origin"], PAGE);
    assert_eq!(readable["access-control-allow-credentials"], "true");
    let exposed = readable["access-control-expose-headers"].as_str().unwrap();
    for name in ["www-authenticate", "retry-after", "x-request-id", "ratelimit"] {
        assert!(exposed.contains(name), "{name}");
    }
    for other in [None, Some("https://evil.example"), Some("null")] {
        let hidden = answer(other);
        assert_eq!(hidden["access-control-allow-origin"], Value::Null);
        assert_eq!(hidden["vary"], "Origin", "{other:?}");
        assert_eq!(hidden["x-frame-options"], "DENY");
        assert_eq!(hidden["cache-control"], "no-store");
    }
}
