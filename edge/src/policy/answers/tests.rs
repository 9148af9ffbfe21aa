use std::rc::Rc;

use serde_json::{Value, json};

use super::check_origin;
use crate::answer_rules::AnswerRules;
use crate::policy::Policy;

/// The rules of the policy, and those of its one route.
fn rules(policy: &Value, route: &Value) -> Result<(Rc<AnswerRules>, Rc<AnswerRules>), Vec<String>> {
    let mut table = json!({"issuer": "i", "audience": "a"});
    let mut one = json!({"path": "/x", "upstream": "app", "public": true});
    for (from, to) in [(policy, &mut table), (route, &mut one)] {
        for (key, value) in from.as_object().unwrap() {
            to[key] = value.clone();
        }
    }
    table["routes"] = json!([one]);
    let policy = Policy::parse(&table.to_string()).map_err(|mistakes| mistakes.0)?;
    let route = policy.routes().next().unwrap();
    Ok((Rc::clone(&policy.answers), Rc::clone(&route.answers)))
}

fn mistakes(policy: &Value, route: &Value) -> Vec<String> {
    rules(policy, route).unwrap_err()
}

fn header(rules: &AnswerRules, name: &str) -> Option<String> {
    let mut headers = rules.headers.over(true);
    headers
        .find(|(own, _)| *own == name)
        .map(|(_, value)| value.to_owned())
}

#[test]
fn a_route_has_what_the_policy_says_unless_it_says_otherwise() {
    let policy = json!({"cors": {"origins": ["https://app.example"]}, "response_headers": {"X-A": "1", "x-frame-options": false}});
    let (all, route) = rules(&policy, &json!({})).unwrap();
    assert!(Rc::ptr_eq(&all, &route));
    assert_eq!(header(&all, "x-a").as_deref(), Some("1"));
    assert_eq!(header(&all, "x-frame-options"), None);
    assert_eq!(header(&all, "x-content-type-options").as_deref(), Some("nosniff"));

    let own = json!({"cors": {"origins": ["https://other.example"]}, "response_headers": {"x-a": false, "x-frame-options": "SAMEORIGIN"}});
    let (all, route) = rules(&policy, &own).unwrap();
    assert!(all.cors.as_ref().unwrap().allows("https://app.example"));
    let cors = route.cors.as_ref().unwrap();
    assert!(cors.allows("https://other.example") && !cors.allows("https://app.example"));
    assert_eq!(header(&route, "x-a"), None);
    assert_eq!(header(&route, "x-frame-options").as_deref(), Some("SAMEORIGIN"));

    let (_, route) = rules(&policy, &json!({"cors": false})).unwrap();
    assert_eq!(route.cors, None);
    assert_eq!(header(&route, "x-a").as_deref(), Some("1"));
}

#[test]
fn without_a_word_about_it_answers_are_strict_and_shared_with_nobody() {
    let (all, route) = rules(&json!({}), &json!({})).unwrap();
    assert_eq!(*all, AnswerRules::strict());
    assert_eq!(all, route);
    assert_eq!(all.cors, None);
}

#[test]
fn every_key_of_cors_is_read() {
    let cors = json!({"origins": ["https://a.example", "http://localhost:3000"], "credentials": true,
        "headers": ["Content-Type", "x-own"], "expose": ["X-Total", "etag"], "max_age": 60});
    let (all, _) = rules(&json!({"cors": cors}), &json!({})).unwrap();
    let cors = all.cors.as_ref().unwrap();
    assert!(
        cors.credentials
            && cors.allows_headers("content-type, x-own")
            && !cors.allows_headers("authorization")
    );
    assert_eq!(cors.max_age, 60);
    assert_eq!(
        cors.exposed,
        "etag, ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id, x-total"
    );
    let (all, _) = rules(
        &json!({"cors": {"origins": ["https://a.example"], "headers": []}}),
        &json!({}),
    )
    .unwrap();
    let cors = all.cors.as_ref().unwrap();
    assert!(!cors.credentials && !cors.allows_headers("content-type"));
    let (all, _) = rules(&json!({"cors": {"origins": ["https://a.example"]}}), &json!({})).unwrap();
    assert!(
        all.cors
            .as_ref()
            .unwrap()
            .allows_headers("Authorization, Content-Type, X-Token-Delivery")
    );
}

#[test]
fn an_origin_that_browsers_would_spell_otherwise_is_a_mistake() {
    for origin in [
        "https://app.example",
        "https://app.example:8443",
        "http://localhost:3000",
        "http://127.0.0.1:3000",
        "https://[::1]:3000",
        "https://xn--mnchen-3ya.example",
        "capacitor://localhost",
        "http://app.example:443",
    ] {
        assert_eq!(check_origin(origin), Ok(()), "{origin}");
    }
    for origin in [
        "",
        "*",
        "null",
        "app.example",
        "https://",
        "https://app.example/",
        "https://app.example/path",
        "https://app.example?x",
        "https://app.example#x",
        "https://user@app.example",
        "https://App.example",
        "HTTPS://app.example",
        "https://münchen.example",
        "https://*.example",
        "https://app.example:443",
        "http://app.example:80",
        "https://app.example:",
        "https://app.example:0443",
        "https://app.example:99999",
        "https://app.example:x",
        "https://[::0001]",
        "https://[::1",
        "https://app.example ",
        "1http://app.example",
    ] {
        assert!(check_origin(origin).is_err(), "{origin}");
    }
}

#[test]
fn mistakes_of_cors_are_reported_where_they_are() {
    for (cors, expected) in [
        (json!(true), "POLICY has a cors that is neither a table nor false"),
        (json!({}), "POLICY, cors allows no origins; cors = false says so"),
        (
            json!({"origins": ["*"]}),
            r#"POLICY, cors allows the origin "*", which is nobody in particular"#,
        ),
        (
            json!({"origins": ["https://a.example", "https://a.example"]}),
            r#"POLICY, cors lists "https://a.example" twice in origins"#,
        ),
        (
            json!({"origins": ["https://a.example"], "credentials": "yes"}),
            "POLICY, cors has credentials that are neither true nor false",
        ),
        (
            json!({"origins": ["https://a.example"], "headers": ["*"]}),
            r#"POLICY, cors has "*" in headers, which is no name of a header"#,
        ),
        (
            json!({"origins": ["https://a.example"], "expose": "x-total"}),
            "POLICY, cors has expose that are not an array of texts",
        ),
        (
            json!({"origins": ["https://a.example"], "max_age": 86_401}),
            "POLICY, cors has a max_age that is not a whole number from 0 to 86400",
        ),
        (
            json!({"origins": ["https://a.example"], "methods": ["GET"]}),
            r#"POLICY, cors has the unknown key "methods""#,
        ),
    ] {
        assert_eq!(mistakes(&json!({"cors": cors}), &json!({})), [expected]);
    }
    let found = mistakes(&json!({}), &json!({"cors": {"origins": ["null"]}}));
    assert_eq!(
        found,
        [r#"route 1 (/x), cors allows the origin "null", which is nobody in particular"#]
    );
}

#[test]
fn headers_that_are_not_for_a_policy_to_set_are_mistakes() {
    for name in [
        "Set-Cookie",
        "content-length",
        "Content-Type",
        "connection",
        "transfer-encoding",
        "access-control-allow-origin",
        "X-Auth-Subject",
        "x-request-id",
        "www-authenticate",
        "vary",
        "proxy-authenticate",
    ] {
        let found = mistakes(&json!({}), &json!({"response_headers": {name: "x"}}));
        let expected = format!("route 1 (/x), response_headers has {name}, which is not for a policy to set");
        assert_eq!(found, [expected]);
    }
    for (headers, count) in [
        (json!("x"), 1),
        (json!({"x a": "1"}), 1),
        (json!({"": "1"}), 1),
        (json!({"x-a": ""}), 1),
        (json!({"x-a": "a\r\nset-cookie: b"}), 1),
        (json!({"x-a": " padded "}), 1),
        (json!({"x-a": "grüße"}), 1),
        (json!({"x-a": true}), 1),
        (json!({"x-a": 1}), 1),
        (json!({"x-a": "1", "X-A": "2"}), 1),
    ] {
        let found = mistakes(&json!({"response_headers": headers}), &json!({}));
        assert_eq!(found.len(), count, "{headers}: {found:?}");
    }
}
