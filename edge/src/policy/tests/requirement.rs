//! What `require` may say, and what an unknown key may have been meant for.

use serde_json::{Value, json};

use super::{mistakes, policy};
use crate::policy::{Demand, Requirement};

fn permission(name: &str) -> Demand {
    Demand::Permission(name.to_owned())
}

fn role(name: &str) -> Demand {
    Demand::Role(name.to_owned())
}

fn requiring(require: &Value) -> Value {
    json!({"path": "/x", "upstream": "app", "require": require})
}

fn requirement(require: &Value) -> Requirement {
    let policy = policy(&json!([requiring(require)])).unwrap();
    policy.routes().next().unwrap().gate.requirement.clone()
}

#[test]
fn one_demand_any_of_several_and_all_of_several_can_be_required() {
    assert_eq!(
        requirement(&json!({"permission": "a"})),
        Requirement::All(vec![permission("a")])
    );
    assert_eq!(
        requirement(&json!({"role": "b"})),
        Requirement::All(vec![role("b")])
    );
    let both = json!([{"permission": "a"}, {"role": "b"}]);
    assert_eq!(
        requirement(&json!({"any": both})),
        Requirement::Any(vec![permission("a"), role("b")])
    );
    assert_eq!(
        requirement(&json!({"all": both})),
        Requirement::All(vec![permission("a"), role("b")])
    );
}

#[test]
fn a_requirement_reads_as_it_is_meant() {
    let both = json!([{"permission": "a"}, {"role": "b"}]);
    assert_eq!(
        requirement(&json!({"any": both})).to_string(),
        "permission a or role b"
    );
    assert_eq!(
        requirement(&json!({"all": both})).to_string(),
        "permission a and role b"
    );
    assert_eq!(Requirement::Public.to_string(), "public");
    assert_eq!(Requirement::Authenticated.to_string(), "authenticated");
}

#[test]
fn exactly_one_form_is_stated() {
    const ONE_OF_FOUR: &str =
        "route 1 (/x), require does not have exactly one of permission, role, any and all";
    const ONE_OF_TWO: &str = "route 1 (/x), require, any 1 does not have exactly one of permission and role";
    for (require, expected) in [
        (json!({}), vec![ONE_OF_FOUR]),
        (json!({"permission": "a", "role": "b"}), vec![ONE_OF_FOUR]),
        (
            json!({"any": [{"role": "a"}], "all": [{"role": "b"}]}),
            vec![ONE_OF_FOUR],
        ),
        (json!({"any": [{"role": "a"}], "role": "b"}), vec![ONE_OF_FOUR]),
        (json!({"any": [{}]}), vec![ONE_OF_TWO]),
        (
            json!({"any": [{"role": "a", "permission": "b"}]}),
            vec![ONE_OF_TWO],
        ),
        (
            json!({"any": []}),
            vec!["route 1 (/x), require has no array of tables for any"],
        ),
        (
            json!({"any": {"role": "a"}}),
            vec!["route 1 (/x), require has no array of tables for any"],
        ),
        (
            json!({"any": ["a"]}),
            vec!["route 1 (/x), require has no array of tables for any"],
        ),
        (
            json!({"all": [{"role": "a"}, {"role": "a"}]}),
            vec!["route 1 (/x), require, all 2 demands the role a once more"],
        ),
        (
            json!({"all": [{"any": [{"role": "a"}]}]}),
            vec![
                r#"route 1 (/x), require, all 1 has the unknown key "any""#,
                "route 1 (/x), require, all 1 does not have exactly one of permission and role",
            ],
        ),
        (
            json!({"perms": "a"}),
            vec![
                r#"route 1 (/x), require has the unknown key "perms": did you mean permission?"#,
                ONE_OF_FOUR,
            ],
        ),
        (
            json!({"role": ""}),
            vec!["route 1 (/x), require has no text for role"],
        ),
    ] {
        assert_eq!(mistakes(&requiring(&require)), expected, "{require}");
    }
}

#[test]
fn names_that_no_token_could_hold_or_that_look_like_patterns_are_mistakes() {
    for name in [
        "tickets view",
        "tickets:*",
        "*",
        "a,b",
        "tickets:view ",
        "é",
        "a\nb",
    ] {
        for key in ["permission", "role"] {
            let found = mistakes(&requiring(&json!({key: name})));
            assert_eq!(
                found,
                [format!(
                    "route 1 (/x), require names the {key} {name:?}: not letters, digits and : . _ -"
                )]
            );
        }
    }
    for name in ["tickets:view-own", "billing.read", "venue-owner", "Admin_2"] {
        requirement(&json!({"role": name}));
    }
}

#[test]
fn a_venue_goes_with_any_form_of_require() {
    let route =
        |require: Value| json!([{"path": "/v/{id}", "upstream": "app", "require": require, "venue": "id"}]);
    for require in [
        json!({"role": "a"}),
        json!({"any": [{"role": "a"}, {"permission": "b"}]}),
        json!({"all": [{"role": "a"}, {"permission": "b"}]}),
    ] {
        let policy = policy(&route(require)).unwrap();
        assert_eq!(policy.routes().next().unwrap().gate.venue, Some(1));
    }
}

#[test]
fn an_unknown_key_that_looks_like_a_known_one_is_explained() {
    for (key, known) in [
        ("timeout", Some("timeout_seconds")),
        ("max_body", Some("max_body_bytes")),
        ("maxBodyBytes", Some("max_body_bytes")),
        ("method", Some("methods")),
        ("stepup", Some("step_up")),
        ("sensitve", Some("sensitive")),
        ("auth", Some("authenticated")),
        ("pubic", Some("public")),
        ("x", None),
        ("allow", None),
    ] {
        let route = json!({"path": "/x", "upstream": "app", "public": true, key: 1});
        let hint = known.map_or(String::new(), |known| format!(": did you mean {known}?"));
        assert_eq!(
            mistakes(&route),
            [format!("route 1 (/x) has the unknown key {key:?}{hint}")]
        );
    }
}
