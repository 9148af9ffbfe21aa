//! The decision: a request that may be anything, by a caller who may be anybody, at routes that demand each kind of thing.
//!
//! What a route demands is written down twice, in the table and as a function here, so that the table's reading and the
//! gate are held against something that shares no code with them.

mod case;

use std::cell::Cell;
use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use portcullis_edge::answer::Answer;
use portcullis_edge::browser::Renewal;
use portcullis_edge::decide::{Decision, Knowledge, Pass, Refusal, decide};
use portcullis_edge::deny_cache::DenyCache;
use portcullis_edge::policy::Policy;
use portcullis_edge::revocations::{Revocations, Standing};
use portcullis_edge::venue_roles::VenueRoles;
use portcullis_shared::claims::AccessClaims;
use portcullis_shared::csrf::{self, CsrfKey};
use portcullis_shared::request_signature::SigningKey;

use crate::NOW;
pub(crate) use case::claims_of;
use case::{Case, Verdict, View};

const TABLE: &str = r#"{"issuer": "i", "audience": "a", "routes": [
    {"path": "/public/*", "upstream": "app", "public": true},
    {"path": "/public/small", "upstream": "origin", "public": true, "max_body_bytes": 10},
    {"path": "/me", "upstream": "app", "authenticated": true},
    {"path": "/check", "methods": ["GET"], "forward_auth": true, "authenticated": true},
    {"path": "/buy", "methods": ["POST"], "upstream": "app", "require": {"permission": "tickets:purchase"}},
    {"path": "/admin", "upstream": "app", "require": {"role": "admin"}},
    {"path": "/either", "upstream": "app", "require": {"any": [{"permission": "reports:view"}, {"role": "admin"}]}},
    {"path": "/both", "upstream": "app", "require": {"all": [{"permission": "reports:view"}, {"role": "customer"}]}},
    {"path": "/venues/{v}/tickets", "upstream": "app", "require": {"permission": "tickets:view"}, "venue": "v"},
    {"path": "/venues/{v}/door", "upstream": "app", "require": {"role": "door-staff"}, "venue": "v"},
    {"path": "/withdraw", "upstream": "app", "authenticated": true, "sensitive": true, "step_up": {"max_age": 300, "acr": "aal2"}}
]}"#;
const PATHS: [&str; 14] = [
    "/either",
    "/both",
    "/public/x",
    "/public/small",
    "/me",
    "/check",
    "/buy",
    "/admin",
    "/venues/one/tickets",
    "/venues/two/door",
    "/withdraw",
    "/edge/revocations",
    "/nowhere",
    "/venues/one/door",
];
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
];
const ROLES: [&str; 6] = [
    "admin",
    "customer",
    "door-staff",
    "box-office",
    "venue-owner",
    "nobody",
];
const PERMISSIONS: [&str; 4] = ["tickets:purchase", "tickets:view", "*", "reports:view"];
/// A token of the right form.
const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImsifQ.e30.AAAA";
const REFRESH: &str = "pcr_family.1.mac";
/// The latest moment of a token's life at which it is still taken, after its end, in seconds.
const LEEWAY: i64 = 5;

thread_local! {
    static POLICY: Policy = Policy::parse(TABLE).expect("a table without mistakes");
}
static KEY: LazyLock<CsrfKey> =
    LazyLock::new(|| CsrfKey::of(&SigningKey::new("one", &[7; 32]).expect("a name and 32 bytes")));

/// Nothing passes but what its route lets pass, and every refusal is one that the contract knows.
pub fn check(data: &[u8]) {
    let Ok(case) = Case::arbitrary(&mut Unstructured::new(data)) else {
        return;
    };
    let view = case.view();
    let now = NOW + i64::from(case.later);
    let (revocations, venue_roles) = (case.revocations(), VenueRoles::default());
    let denials = DenyCache::default();
    let claims = case.claims.of();
    let asked = Cell::new(None);
    POLICY.with(|policy| {
        let knowledge = Knowledge {
            policy,
            revocations: &revocations,
            venue_roles: &venue_roles,
            csrf_keys: std::slice::from_ref(&*KEY),
            denials: &denials,
        };
        let known = |token: &str| {
            asked.set(Some(token.to_owned()));
            case.verdict.of(&claims)
        };
        let decision = decide(&view, &knowledge, known, now);
        let asked = asked.take();
        match decision {
            Decision::Refuse(refusal) => check_refusal(&refusal),
            Decision::Verify(token) => {
                assert_eq!(asked.as_deref(), Some(token));
                assert!(matches!(case.verdict, Verdict::Unknown) && view.holds(token));
            }
            Decision::FetchRevocations => assert!(asked.is_none(), "it decided upon an old state"),
            Decision::Refresh(token) => {
                let cookie = view.cookie.as_deref().expect("a cookie to refresh");
                assert!(cookie.contains(token) && view.renewal == Renewal::Untried);
                assert!(csrf::is_safe(&view.method), "{} has a body", view.method);
            }
            Decision::AskVenueRoles(_) => {
                assert!(claims.venues_truncated && matches!(case.verdict, Verdict::Verified));
            }
            Decision::Count(question) => unreachable!("nothing is limited: {question:?}"),
            Decision::Preflight(preflight) => unreachable!("nothing is shared: {preflight:?}"),
            Decision::Pass(pass) => {
                check_pass(&pass, &view);
                if let Some(claims) = &pass.identity {
                    assert!(asked.is_some() && matches!(case.verdict, Verdict::Verified));
                    check_identity(claims, &pass, &revocations, now);
                }
            }
        }
    });
}

fn check_refusal(refusal: &Refusal) {
    const LEGAL: [u16; 9] = [400, 401, 403, 404, 405, 413, 429, 500, 503];
    let status = refusal.code.status();
    assert!(LEGAL.contains(&status) && status != 500, "{refusal:?}");
    let must = |status_has_it: bool, is_there: bool| assert_eq!(status_has_it, is_there, "{refusal:?}");
    must(status == 405, refusal.allow.is_some());
    must(matches!(status, 429 | 503), refusal.retry_after.is_some());
    assert!(status != 401 || refusal.challenge.is_some(), "{refusal:?}");
    for secret in [TOKEN, REFRESH] {
        assert!(!refusal.reason.contains(secret), "{refusal:?}");
    }
    let answer = Answer::refusing(refusal, "12345678");
    assert_eq!(answer.status, status);
    for (name, value) in &answer.headers {
        assert!(
            value.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{name}: {value:?}"
        );
    }
    let problem = answer.body.as_deref().expect("a problem");
    let problem: serde_json::Value = serde_json::from_str(problem).expect("JSON");
    assert_eq!(
        problem.get("code").and_then(serde_json::Value::as_str),
        Some(refusal.code.as_str())
    );
}

fn check_pass(pass: &Pass<'_, AccessClaims>, view: &View) {
    assert_ne!(pass.target.path(), "/edge/revocations");
    assert!(METHODS.contains(&view.method.as_str()) && view.method != "TRACE");
    let claims = pass.identity.as_ref();
    assert!(meets(&pass.route.path, pass.target.path(), claims), "{pass:?}");
    // Who comes with cookies and may change something has shown where they come from.
    let by_cookies = view.authorization.is_none() && claims.is_some();
    if by_cookies && !csrf::is_safe(&view.method) {
        let vouched = ["sec-fetch-site", "origin", "x-csrf-token"];
        assert!(
            vouched.iter().any(|name| view.headers.contains_key(name)),
            "{pass:?}"
        );
        assert!(
            view.headers
                .get("sec-fetch-site")
                .is_none_or(|site| site == "same-origin")
        );
    }
}

/// What each route demands, once more.
fn meets(route: &str, path: &str, claims: Option<&AccessClaims>) -> bool {
    if route.starts_with("/public") {
        return true;
    }
    let Some(claims) = claims else { return false };
    let grants = |wanted: &str| claims.permissions.iter().any(|own| own == wanted || own == "*");
    let is = |role: &str| claims.role.as_deref() == Some(role);
    let there = |roles: &[&str]| {
        let venue = path.split('/').nth(2).unwrap_or_default();
        let held = claims.venues.get(venue);
        held.is_some_and(|held| held.iter().any(|role| roles.contains(&role.as_str())))
    };
    match route {
        "/me" | "/check" => true,
        "/buy" => grants("tickets:purchase"),
        "/admin" => is("admin"),
        "/either" => grants("reports:view") || is("admin"),
        "/both" => grants("reports:view") && is("customer"),
        "/venues/{v}/tickets" => there(&[
            "admin",
            "venue-owner",
            "venue-manager",
            "box-office",
            "door-staff",
        ]),
        "/venues/{v}/door" => there(&["door-staff"]),
        "/withdraw" => claims.acr.as_deref() == Some("aal2") && claims.auth_time.is_some(),
        _ => false,
    }
}

fn check_identity(claims: &AccessClaims, pass: &Pass<'_, AccessClaims>, revocations: &Revocations, now: i64) {
    assert!(now < claims.exp + LEEWAY, "it has expired");
    assert!(
        claims.nbf.is_none_or(|nbf| nbf <= now + LEEWAY),
        "it is not valid yet"
    );
    assert_eq!(revocations.standing(claims), Standing::Good);
    if pass.route.path == "/withdraw" {
        assert!(
            claims.auth_time.is_some_and(|at| now - at <= 300),
            "it is too old"
        );
        assert_eq!(pass.stale, None, "what was revoked is not known");
    }
    match pass.stale {
        None => assert!(revocations.age(now).is_some_and(|age| age < 5)),
        Some(age) => assert!(age <= revocations.longest_stale_age()),
    }
}
