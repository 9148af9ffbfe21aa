use serde_json::{Value, json};

use crate::path::Target;
use crate::policy::{Counted, Found, Keeper, Policy};

fn parse(table: &Value) -> Result<Policy, Vec<String>> {
    let mut whole = json!({"issuer": "https://issuer", "audience": "app"});
    let members = whole.as_object_mut().unwrap();
    members.extend(table.as_object().unwrap().clone());
    Policy::parse(&whole.to_string()).map_err(|mistakes| mistakes.0)
}

fn limits() -> Value {
    json!([
        {"name": "client", "by": "client", "limit": 100, "window_seconds": 60, "binding": "LIMIT_CLIENT"},
        {"name": "subject", "by": "subject", "limit": 50, "window_seconds": 10, "binding": "LIMIT_SUBJECT"},
        {"name": "sign-in", "by": "client", "limit": 30, "window_seconds": 60, "exact": true},
    ])
}

/// A policy with the limits above and one route that is under all of them, before these.
fn with_routes(defaults: &Value, routes: &Value) -> Result<Policy, Vec<String>> {
    let all = json!({"path": "/all", "upstream": "app", "authenticated": true, "limit": ["sign-in", "subject", "client"]});
    let mut routes = routes.as_array().unwrap().clone();
    routes.push(all);
    parse(&json!({"limits": limits(), "default_limits": defaults, "routes": routes}))
}

fn names(policy: &Policy, path: &str) -> Vec<String> {
    names_of(policy, "GET", path)
}

fn names_of(policy: &Policy, method: &str, path: &str) -> Vec<String> {
    let url = format!("http://h{path}");
    let Found::Route(route) = policy.find(method, &Target::of_url(&url).unwrap()) else {
        panic!("no route for {method} {path}");
    };
    route.limits.iter().map(|limit| limit.name.clone()).collect()
}

fn mistakes_of(limit: &Value) -> Vec<String> {
    parse(&json!({
        "limits": [limit],
        "routes": [{"path": "/x", "upstream": "app", "authenticated": true, "limit": limit["name"]}],
    }))
    .unwrap_err()
}

#[test]
fn every_key_of_a_limit_is_read() {
    let policy = with_routes(&json!([]), &json!([])).unwrap();
    let [client, subject, sign_in] = policy.limits().collect::<Vec<_>>()[..] else {
        panic!("three limits")
    };
    assert_eq!((client.number, client.by), (1, Counted::Client));
    assert_eq!(client.keeper, Keeper::Binding("LIMIT_CLIENT".to_owned()));
    assert_eq!(
        (client.quota.limit.get(), client.quota.window_seconds.get()),
        (100, 60)
    );
    assert_eq!(subject.by, Counted::Subject);
    assert_eq!(sign_in.keeper, Keeper::Exact);
}

#[test]
fn a_route_counts_cheap_limits_first_and_those_of_a_token_last() {
    let policy = with_routes(&json!([]), &json!([])).unwrap();
    assert_eq!(names(&policy, "/all"), ["client", "sign-in", "subject"]);
    let route = policy.routes().next().unwrap();
    assert_eq!(
        route.limits.announcement(),
        Some(r#""client";q=100;w=60, "sign-in";q=30;w=60, "subject";q=50;w=10"#)
    );
}

#[test]
fn a_route_that_says_nothing_has_the_default_limits_and_an_empty_list_exempts_it() {
    let routes = json!([
        {"path": "/silent", "upstream": "app", "authenticated": true},
        {"path": "/public", "upstream": "app", "public": true},
        {"path": "/one", "upstream": "app", "public": true, "limit": "sign-in"},
        {"path": "/exempt", "upstream": "app", "authenticated": true, "limit": []},
    ]);
    let policy = with_routes(&json!(["subject", "client"]), &routes).unwrap();
    assert_eq!(names(&policy, "/silent"), ["client", "subject"]);
    assert_eq!(names(&policy, "/public"), ["client", "subject"]);
    assert_eq!(names(&policy, "/one"), ["sign-in"]);
    assert!(names(&policy, "/exempt").is_empty());
    let exempt = policy.routes().find(|route| route.path == "/exempt").unwrap();
    assert_eq!(exempt.limits.announcement(), None);
}

#[test]
fn mistakes_about_limits_are_reported_with_all_others() {
    for (route, mistake) in [
        (
            json!({"authenticated": true, "limit": "nobody"}),
            "route 1 (/x) names the limit \"nobody\", which the policy does not have",
        ),
        (
            json!({"authenticated": true, "limit": [7]}),
            "route 1 (/x) names the limit 7, which the policy does not have",
        ),
        (
            json!({"authenticated": true, "limit": ["client", "client"]}),
            "route 1 (/x) names the limit \"client\" twice",
        ),
        (
            json!({"public": true, "limit": "subject"}),
            "route 1 (/x) is public, so limits by subject or tenant alone hold nobody who leaves the token out",
        ),
    ] {
        let mut route = route;
        route["path"] = "/x".into();
        route["upstream"] = "app".into();
        assert_eq!(with_routes(&json!([]), &json!([route])).unwrap_err(), [mistake]);
    }
    let proxy = json!([{"path": "/x", "forward_auth": true, "authenticated": true}]);
    assert!(with_routes(&json!(["subject"]), &proxy).is_ok());
    let [mistake] = &with_routes(&json!(["client"]), &proxy).unwrap_err()[..] else {
        panic!("one mistake")
    };
    assert!(
        mistake.starts_with("route 1 (/x) is asked by a proxy"),
        "{mistake}"
    );
    assert_eq!(
        with_routes(&json!("nobody"), &json!([])).unwrap_err(),
        ["POLICY names the limit \"nobody\", which the policy does not have"]
    );
}

#[test]
fn a_limit_that_no_route_is_under_is_a_mistake() {
    let routes =
        json!([{"path": "/x", "upstream": "app", "authenticated": true, "limit": ["client", "subject"]}]);
    let found = parse(&json!({"limits": limits(), "default_limits": ["sign-in"], "routes": routes}));
    assert_eq!(found.unwrap_err(), ["limit 3 (sign-in) is the limit of no route"]);
}

#[test]
fn each_key_of_a_limit_is_checked() {
    let good = json!({"name": "l", "by": "client", "limit": 1, "window_seconds": 60, "binding": "B"});
    for (key, value, mistake) in [
        (
            "by",
            json!("ip"),
            "limit 1 (l) is by none of client, subject and tenant",
        ),
        (
            "limit",
            json!(0),
            "limit 1 (l) has a limit that is not a whole number from 1 to 4294967295",
        ),
        (
            "window_seconds",
            json!(30),
            "limit 1 (l) has a binding, whose window_seconds can be 10 or 60 only",
        ),
        (
            "exact",
            json!(true),
            "limit 1 (l) does not have exactly one of binding and exact = true",
        ),
        ("binding", Value::Null, "limit 1 (l) has no text for binding"),
        (
            "colour",
            json!("red"),
            "limit 1 (l) has the unknown key \"colour\"",
        ),
    ] {
        let mut limit = good.clone();
        limit[key] = value;
        assert!(
            mistakes_of(&limit).contains(&mistake.to_owned()),
            "{:?}",
            mistakes_of(&limit)
        );
    }
    for name in ["", "A", "a b", "a\"b", "a_b", &"a".repeat(33)] {
        let mut limit = good.clone();
        limit["name"] = name.into();
        assert!(!mistakes_of(&limit).is_empty(), "{name:?}");
    }
    for key in ["name", "by", "limit", "window_seconds", "binding"] {
        let mut limit = good.clone();
        limit.as_object_mut().unwrap().remove(key);
        assert!(!mistakes_of(&limit).is_empty(), "{key}");
    }
    let twice = json!({"limits": [good, good], "routes": [{"path": "/x", "upstream": "app", "public": true, "limit": "l"}]});
    let found = parse(&twice).unwrap_err();
    assert!(
        found.contains(&"limit 2 (l) has the name of another limit".to_owned()),
        "{found:?}"
    );
}

#[test]
fn a_path_that_a_lenient_upstream_would_take_past_a_limit_is_refused() {
    let routes = json!([
        {"path": "/auth/*", "upstream": "app", "public": true, "limit": []},
        {"path": "/auth/login", "upstream": "app", "public": true, "limit": "sign-in"},
    ]);
    let policy = with_routes(&json!([]), &routes).unwrap();
    for path in ["/auth/Login", "/auth/login;x", "/auth/%6cogin"] {
        let url = format!("http://h{path}");
        let found = policy.find("POST", &Target::of_url(&url).unwrap());
        assert_eq!(found, Found::TwoReadings, "{path}");
    }
}

#[test]
fn what_the_environment_lacks_is_named() {
    let policy = with_routes(&json!([]), &json!([])).unwrap();
    assert_eq!(policy.check_keepers(|_| true), Ok(()));
    let lacking = policy.check_keepers(|keeper| *keeper == Keeper::Binding("LIMIT_CLIENT".to_owned()));
    assert_eq!(
        lacking.unwrap_err().0,
        [
            "limit 2 (subject) needs LIMIT_SUBJECT, which is bound to no rate limiter",
            "limit 3 (sign-in) needs EXACT_LIMITS, which is bound to no Durable Object",
        ]
    );
}

#[test]
fn the_bindings_of_a_wrangler_file_have_to_agree() {
    let policy = with_routes(&json!([]), &json!([])).unwrap();
    let good = json!({
        "ratelimits": [
            {"name": "LIMIT_CLIENT", "namespace_id": "1", "simple": {"limit": 100, "period": 60}},
            {"name": "LIMIT_SUBJECT", "namespace_id": "2", "simple": {"limit": 50, "period": 10}},
        ],
        "durable_objects": {"bindings": [{"name": "EXACT_LIMITS", "class_name": "ExactLimit"}]},
    });
    assert_eq!(policy.check_bindings(&good), Ok(()));
    for (pointer, value, limit) in [
        ("/ratelimits/0/simple/limit", json!(101), "limit 1 (client)"),
        ("/ratelimits/1/simple/period", json!(60), "limit 2 (subject)"),
        ("/ratelimits/0/name", json!("OTHER"), "limit 1 (client)"),
        (
            "/durable_objects/bindings/0/class_name",
            json!("Other"),
            "limit 3 (sign-in)",
        ),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        let [mistake] = &policy.check_bindings(&bad).unwrap_err().0[..] else {
            panic!("one mistake: {pointer}")
        };
        assert!(mistake.starts_with(limit), "{mistake}");
    }
    assert_eq!(policy.check_bindings(&json!({})).unwrap_err().0.len(), 3);
}

#[test]
fn the_development_bindings_agree_with_the_development_policy() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../wrangler.toml")).unwrap();
    let wrangler: Value = toml::from_str(&text).unwrap();
    let policy = Policy::parse(&wrangler.pointer("/vars/POLICY").unwrap().to_string()).unwrap();
    assert_eq!(policy.check_bindings(&wrangler), Ok(()));
    for path in [
        "/auth/login",
        "/auth/login/mfa",
        "/auth/oauth/google/login",
        "/auth/passkeys/login/start",
    ] {
        assert_eq!(names_of(&policy, "POST", path), ["edge-sign-in"], "{path}");
    }
    for path in ["/auth/me", "/api/echo", "/api/public/x"] {
        assert_eq!(names(&policy, path), ["edge-client", "edge-subject"], "{path}");
    }
    assert_eq!(names(&policy, "/edge/check"), ["edge-subject"]);
    for path in ["/health", "/live", "/oauth2/introspect", "/.well-known/jwks.json"] {
        assert!(names(&policy, path).is_empty(), "{path}");
    }
}

#[test]
fn a_route_exempts_clients_by_saying_so_and_not_by_saying_nothing() {
    let routes = json!([
        {"path": "/none", "upstream": "app", "public": true, "limit": []},
        {"path": "/subject", "upstream": "app", "authenticated": true, "limit": "subject"},
        {"path": "/client", "upstream": "app", "public": true, "limit": "client"},
        {"path": "/silent", "upstream": "app", "public": true},
    ]);
    let policy = with_routes(&json!([]), &routes).unwrap();
    let found = policy.routes().map(|route| {
        let path = route.path.as_str();
        (path, (route.limits.exempts_clients(), route.refreshes_sessions()))
    });
    let found: std::collections::BTreeMap<_, _> = found.collect();
    assert_eq!(found["/none"], (true, false));
    assert_eq!(found["/subject"], (true, true), "it needs to know who asks");
    assert_eq!(found["/client"], (false, true));
    assert_eq!(found["/silent"], (false, true));
}
