use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Acr, Demand, Destination, Found, Policy, Requirement};
use crate::path::Target;

mod reach;
mod requirement;

fn policy(routes: &Value) -> Result<Policy, Vec<String>> {
    let table = json!({"issuer": "https://issuer", "audience": "app", "routes": routes});
    Policy::parse(&table.to_string()).map_err(|mistakes| mistakes.0)
}

fn mistakes(route: &Value) -> Vec<String> {
    policy(&json!([route])).unwrap_err()
}

fn find(policy: &Policy, method: &str, path: &str) -> String {
    let url = format!("http://h{path}");
    match policy.find(method, &Target::of_url(&url).unwrap()) {
        Found::Route(route) => route.path.clone(),
        Found::OtherMethods(methods) => format!("405 {}", methods.list()),
        Found::Nothing => "404".to_owned(),
        Found::TwoReadings => "400".to_owned(),
    }
}

#[test]
fn the_development_policy_has_no_mistakes() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../wrangler.toml")).unwrap();
    let wrangler: Value = toml::from_str(&text).unwrap();
    let policy = Policy::parse(&wrangler.pointer("/vars/POLICY").unwrap().to_string()).unwrap();
    assert_eq!(policy.upstreams().collect::<Vec<_>>(), ["origin", "venue"]);
    assert_eq!(
        find(&policy, "POST", "/api/tickets/purchase"),
        "/api/tickets/purchase"
    );
    assert_eq!(find(&policy, "GET", "/api/anything"), "404");
    assert_eq!(find(&policy, "GET", "/"), "404");
    assert_eq!(find(&policy, "GET", "/.well-known/jwks.json"), "/.well-known/*");
    for route in policy.routes() {
        let is_open = route.gate.requirement == Requirement::Public;
        assert_eq!(
            is_open,
            !route.path.starts_with("/api/") && route.path != "/edge/check" || route.path == "/api/public/*",
            "{}",
            route.path
        );
    }
}

#[test]
fn every_key_of_a_route_is_read() {
    let policy = policy(&json!([{
        "path": "/v/{id}/x", "methods": ["POST", "GET"], "upstream": "app", "require": {"permission": "p"}, "venue": "id",
        "step_up": {"max_age": 300, "acr": "aal2"}, "timeout_seconds": 5, "max_body_bytes": 10,
    }]))
    .unwrap();
    let route = policy.routes().next().unwrap();
    assert_eq!(
        route.gate.requirement,
        Requirement::All(vec![Demand::Permission("p".to_owned())])
    );
    assert_eq!(route.gate.venue, Some(1));
    let step_up = route.gate.step_up.clone().unwrap();
    assert_eq!((step_up.max_age, step_up.acr), (Some(300), Some(Acr::Aal2)));
    assert_eq!(route.destination, Destination::Upstream("app".to_owned()));
    assert_eq!(
        (route.number, route.timeout_seconds, route.max_body_bytes),
        (1, 5, Some(10))
    );
    assert_eq!(
        (policy.issuer.as_str(), policy.audience.as_str()),
        ("https://issuer", "app")
    );
}

#[test]
fn a_route_that_states_no_requirement_is_a_mistake() {
    let found = mistakes(&json!({"path": "/x", "upstream": "app"}));
    assert_eq!(
        found,
        ["route 1 (/x) states no requirement: public = true, authenticated = true or require"]
    );
    let found = mistakes(&json!({"path": "/x", "upstream": "app", "public": false}));
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn requirements_do_not_mix() {
    for route in [
        json!({"path": "/x", "upstream": "app", "public": true, "authenticated": true}),
        json!({"path": "/x", "upstream": "app", "public": true, "require": {"role": "admin"}}),
        json!({"path": "/x", "upstream": "app", "require": {"role": "admin", "permission": "p"}}),
        json!({"path": "/x", "upstream": "app", "require": {}}),
        json!({"path": "/x", "upstream": "app", "require": "admin"}),
        json!({"path": "/x/{v}", "upstream": "app", "authenticated": true, "venue": "v"}),
        json!({"path": "/x", "upstream": "app", "require": {"role": "r"}, "venue": "v"}),
        json!({"path": "/x", "upstream": "app", "public": true, "step_up": {"max_age": 1}}),
        json!({"path": "/x", "upstream": "app", "authenticated": true, "step_up": {}}),
        json!({"path": "/x", "upstream": "app", "authenticated": true, "step_up": {"acr": "aal9"}}),
        json!({"path": "/x", "upstream": "app", "authenticated": true, "step_up": {"max_age": 0}}),
        json!({"path": "/x", "upstream": "app", "forward_auth": true, "authenticated": true}),
        json!({"path": "/x", "authenticated": true}),
        json!({"path": "/x", "authenticated": true, "upstream": "App"}),
        json!({"path": "/x", "authenticated": true, "forward_auth": true, "timeout_seconds": 5}),
        json!({"path": "/x", "authenticated": true, "upstream": "a", "timeout_seconds": 0}),
        json!({"path": "/x", "authenticated": true, "upstream": "a", "timeout_seconds": 1.5}),
        json!({"path": "/x", "authenticated": true, "upstream": "a", "max_body_bytes": -1}),
        json!({"path": "/x", "authenticated": true, "upstream": "a", "methods": []}),
        json!({"path": "/x", "authenticated": true, "upstream": "a", "methods": ["get"]}),
        json!({"path": "/x", "authenticated": true, "upstream": "a", "methods": ["GET", "GET"]}),
        json!({"path": "x", "authenticated": true, "upstream": "a"}),
        json!({"path": 1, "authenticated": true, "upstream": "a"}),
        json!("x"),
    ] {
        assert!(!mistakes(&route).is_empty(), "{route}");
    }
}

#[test]
fn unknown_keys_are_refused_wherever_they_are() {
    let found = policy(&json!([
        {"path": "/a", "upstream": "app", "public": true, "secret": true},
        {"path": "/b", "upstream": "app", "require": {"role": "r", "rule": "x"}},
        {"path": "/c", "upstream": "app", "authenticated": true, "step_up": {"max_age": 1, "maxAge": 1}},
    ]))
    .unwrap_err();
    assert_eq!(
        found,
        [
            r#"route 1 (/a) has the unknown key "secret""#,
            r#"route 2 (/b), require has the unknown key "rule": did you mean role?"#,
            r#"route 3 (/c), step_up has the unknown key "maxAge": did you mean max_age?"#,
        ]
    );
    let found = Policy::parse(r#"{"issuer": "i", "audience": "a", "routes": [], "extra": 1}"#).unwrap_err();
    assert_eq!(
        found.0,
        ["POLICY has no routes", r#"POLICY has the unknown key "extra""#]
    );
}

#[test]
fn a_public_route_cannot_be_sensitive() {
    let route = json!({"path": "/a", "upstream": "app", "public": true, "sensitive": true});
    assert_eq!(
        mistakes(&route),
        ["route 1 (/a) is public, so sensitive does nothing"]
    );
}

#[test]
fn all_mistakes_are_reported_together() {
    let found = Policy::parse(
        &json!({"audience": "", "routes": [{"path": "/x"}, {"upstream": "app", "public": true}, {"path": "/y/", "upstream": "app", "public": true}]})
            .to_string(),
    )
    .unwrap_err();
    assert_eq!(
        found.0,
        [
            "POLICY has no issuer",
            "POLICY has no text for audience",
            "route 1 (/x) has neither upstream nor forward_auth = true",
            "route 1 (/x) states no requirement: public = true, authenticated = true or require",
            "route 2 has no path",
        ]
    );
    assert!(found.to_string().contains("; route 2 has no path"));
}

#[test]
fn what_is_no_table_is_refused() {
    for json in [
        "",
        "[]",
        "null",
        "{",
        "{\"issuer\": \"i\", \"audience\": \"a\", \"routes\": {}}",
        "\"x\"",
    ] {
        assert!(Policy::parse(json).is_err(), "{json}");
    }
}

#[test]
fn overlapping_and_unreachable_routes_are_reported() {
    let route = |path: &str, methods: &[&str]| json!({"path": path, "methods": methods, "upstream": "app", "public": true});
    let found = policy(&json!([
        route("/a/{x}", &["GET", "PUT"]),
        route("/a/{y}", &["PUT", "POST"])
    ]))
    .unwrap_err();
    assert_eq!(
        found,
        ["route 2 (/a/{y}) can never match PUT: route 1 (/a/{x}) does"]
    );
    let found = policy(&json!([route("/a/{x}/c", &["GET"]), route("/a/b/{y}", &["PUT"])])).unwrap_err();
    assert_eq!(
        found,
        [
            "route 2 (/a/b/{y}) overlaps route 1 (/a/{x}/c): a path can match both, and neither is the narrower"
        ]
    );
    assert!(policy(&json!([route("/Admin", &["GET"]), route("/admin", &["GET"])])).is_err());
    assert!(
        policy(&json!([route("/a", &["GET"]), route("/a", &["HEAD"])])).is_err(),
        "GET includes HEAD"
    );
    assert!(
        policy(&json!([
            route("/a", &["GET"]),
            route("/a", &["POST"]),
            route("/*", &["GET"])
        ]))
        .is_ok()
    );
}

#[test]
fn the_narrowest_path_decides_alone() {
    let policy = policy(&json!([
        {"path": "/*", "upstream": "app", "public": true},
        {"path": "/users/{id}", "methods": ["GET"], "upstream": "app", "authenticated": true},
        {"path": "/users/me", "methods": ["PUT"], "upstream": "app", "authenticated": true},
        {"path": "/users/me", "methods": ["DELETE"], "upstream": "app", "require": {"role": "admin"}},
    ]))
    .unwrap();
    assert_eq!(find(&policy, "GET", "/users/1"), "/users/{id}");
    assert_eq!(find(&policy, "HEAD", "/users/1"), "/users/{id}");
    assert_eq!(find(&policy, "PUT", "/users/1"), "405 GET, HEAD");
    assert_eq!(find(&policy, "GET", "/users/me"), "405 PUT, DELETE");
    assert_eq!(find(&policy, "GET", "/users"), "/*");
    assert_eq!(find(&policy, "POST", "/users/1/x"), "/*");
}

#[test]
fn a_path_that_a_lenient_upstream_would_take_elsewhere_is_refused() {
    let policy = policy(&json!([
        {"path": "/api/*", "upstream": "app", "public": true},
        {"path": "/api/admin", "upstream": "app", "require": {"role": "admin"}},
        {"path": "/api/users/{id}", "upstream": "app", "authenticated": true},
        {"path": "/docs", "upstream": "app", "public": true},
        {"path": "/docs/*", "upstream": "app", "public": true},
    ]))
    .unwrap();
    for path in [
        "/api/%61dmin",
        "/api/Admin",
        "/api/admin/",
        "/api/admin;x=1",
        "/API/admin",
        "/api/%41dmin/",
        "/api/users/%31/",
    ] {
        let found = find(&policy, "GET", path);
        assert!(found == "400" || found == "404", "{path}: {found}");
    }
    for (path, route) in [
        ("/api/Other", "/api/*"),
        ("/api/caf%C3%A9", "/api/*"),
        ("/api/users/ABC", "/api/users/{id}"),
        ("/docs/", "/docs/*"),
        ("/docs/a%20b", "/docs/*"),
    ] {
        assert_eq!(find(&policy, "GET", path), route, "{path}");
    }
}

#[test]
fn a_folder_is_not_opened_by_another_spelling_of_its_path() {
    let policy = policy(&json!([
        {"path": "/api/*", "upstream": "app", "authenticated": true},
        {"path": "/api/users/*", "upstream": "app", "require": {"role": "admin"}},
    ]))
    .unwrap();
    for spelling in ["%75sers", "USERS", "users;x", "%2575sers", "Users;x"] {
        let path = format!("/api/{spelling}/");
        assert_eq!(find(&policy, "GET", &path), "400", "{path}");
    }
    assert_eq!(find(&policy, "GET", "/api/users/1"), "/api/users/*");
}

#[test]
fn a_method_that_a_route_does_not_allow_is_not_allowed_by_another_spelling() {
    let policy = policy(&json!([
        {"path": "/api/*", "upstream": "app", "authenticated": true},
        {"path": "/api/reports", "methods": ["GET"], "upstream": "app", "authenticated": true},
    ]))
    .unwrap();
    for path in ["/api/Reports", "/api/reports/", "/api/%72eports"] {
        assert_eq!(find(&policy, "POST", path), "400", "{path}");
        assert_eq!(
            find(&policy, "GET", path),
            "/api/*",
            "{path}: both demand the same"
        );
    }
}

#[test]
fn a_limit_of_bodies_is_not_passed_by_another_spelling() {
    let policy = policy(&json!([
        {"path": "/up/*", "upstream": "app", "authenticated": true},
        {"path": "/up/avatar", "upstream": "app", "authenticated": true, "max_body_bytes": 65536},
    ]))
    .unwrap();
    for path in ["/up/Avatar", "/up/avatar/", "/up/%61vatar"] {
        assert_eq!(find(&policy, "POST", path), "400", "{path}");
    }
}

proptest! {
    #[test]
    fn no_table_makes_it_panic(text in any::<String>()) {
        let _ = Policy::parse(&text);
        let _ = Policy::parse(&json!({"issuer": text, "audience": "a", "routes": [{"path": text, "upstream": text, "venue": text, "methods": [text]}]}).to_string());
    }

    #[test]
    fn look_up_does_not_depend_on_the_order_of_routes(
        paths in proptest::collection::btree_set("(/[ab]|/\\{x\\}){1,3}(/\\*)?", 1..6), path in "(/[ab]){1,4}",
    ) {
        let table = |paths: Vec<&String>| {
            let routes: Vec<Value> = paths.iter().map(|path| json!({"path": path, "upstream": "app", "public": true})).collect();
            policy(&json!(routes)).ok()
        };
        if let (Some(forward), Some(backward)) = (table(paths.iter().collect()), table(paths.iter().rev().collect())) {
            prop_assert_eq!(find(&forward, "GET", &path), find(&backward, "GET", &path));
        }
    }
}
