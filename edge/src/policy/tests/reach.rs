//! Routes that overlap, and routes that nothing reaches: what the table says is held against all paths of a small world.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::policy;
use crate::path::Target;
use crate::policy::{Found, METHODS, Mistakes, Policy, reach};

/// The segments of the world. `z` stands for all that no pattern spells out.
const SEGMENTS: [&str; 5] = ["a", "A", "b", "B", "z"];

/// Every path of up to four segments, with and without a slash at the end.
fn world() -> Vec<String> {
    let mut folders = vec![String::new()];
    let mut paths = vec!["/".to_owned()];
    for _ in 0..4 {
        folders = folders
            .iter()
            .flat_map(|folder| SEGMENTS.map(|segment| format!("{folder}/{segment}")))
            .collect();
        paths.extend(folders.iter().flat_map(|path| [path.clone(), format!("{path}/")]));
    }
    paths
}

/// Whether `pattern` matches, found out in another way than the table's own.
fn matches(pattern: &str, path: &str) -> bool {
    let (prefix, is_open) = match pattern.strip_suffix("/*") {
        Some(prefix) => (prefix, true),
        None => (pattern, false),
    };
    let wanted: Vec<&str> = prefix.split('/').skip(1).collect();
    let given: Vec<&str> = path.split('/').skip(1).collect();
    let is_long_enough = if is_open {
        given.len() > wanted.len()
    } else {
        given.len() == wanted.len()
    };
    is_long_enough
        && wanted
            .iter()
            .zip(&given)
            .all(|(wanted, given)| wanted == given || (wanted.starts_with('{') && !given.is_empty()))
}

/// A table with one route for each pattern. Where `alike`, they all demand the same, so that no path has two readings
/// that matter; else routes with an even number are public and the others not.
fn routes(patterns: &[String], alike: bool) -> Value {
    let route = |(at, path): (usize, &String)| {
        let requirement = if alike || at % 2 == 0 {
            "public"
        } else {
            "authenticated"
        };
        json!({"path": path, "methods": ["GET"], "upstream": "app", requirement: true})
    };
    Value::Array(patterns.iter().enumerate().map(route).collect())
}

fn numbers_of(mistakes: &[String], what: &str) -> BTreeSet<usize> {
    let about = mistakes.iter().filter(|mistake| mistake.contains(what));
    about
        .map(|mistake| mistake.split(' ').nth(1).unwrap().parse().unwrap())
        .collect()
}

#[test]
fn a_route_that_narrower_ones_leave_nothing_for_is_a_mistake() {
    let table = |paths: &[&str]| {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        policy(&routes(&paths, true))
    };
    assert_eq!(
        table(&["/a/*", "/a/", "/a/{x}", "/a/{x}/*"]).unwrap_err(),
        ["route 1 (/a/*) can never be reached: narrower routes take all of its paths"]
    );
    assert_eq!(
        table(&["/*", "/", "/{x}", "/{x}/", "/{x}/{y}", "/{x}/{y}/*"]).unwrap_err(),
        ["route 1 (/*) can never be reached: narrower routes take all of its paths"]
    );
    assert!(table(&["/a/*", "/a/{x}", "/a/{x}/*"]).is_ok(), "/a/ is left");
    assert!(
        table(&["/a/*", "/a/", "/a/{x}", "/a/b/*"]).is_ok(),
        "/a/c/d is left"
    );
}

#[test]
fn a_route_whose_every_path_has_a_second_reading_is_a_mistake() {
    let found = policy(&json!([
        {"path": "/docs", "upstream": "app", "public": true},
        {"path": "/docs/", "upstream": "app", "authenticated": true},
    ]))
    .unwrap_err();
    assert_eq!(
        found,
        [
            "route 2 (/docs/) can never be reached: a lenient upstream would take its path for that of another route, which demands something else"
        ]
    );
    let by_another_method = json!([
        {"path": "/docs", "methods": ["GET"], "upstream": "app", "public": true},
        {"path": "/docs/", "methods": ["POST"], "upstream": "app", "authenticated": true},
    ]);
    let mistakes = policy(&by_another_method).unwrap_err();
    assert!(
        mistakes[0].starts_with("route 2 (/docs/) can never be reached"),
        "{mistakes:?}"
    );
}

#[test]
fn a_route_that_is_reached_by_a_spelling_of_another_case_alone_is_none() {
    let found = policy(&json!([
        {"path": "/A/{z}", "upstream": "app", "authenticated": true},
        {"path": "/{x}/b/", "upstream": "app", "authenticated": true},
        {"path": "/{x}/{z}", "upstream": "app", "public": true},
    ]));
    assert!(
        found.is_ok(),
        "/a/b/ is left, which a lenient upstream takes for /A/b"
    );
}

#[test]
fn the_edges_own_paths_are_no_routes() {
    for path in ["/edge/revocations", "/edge/venue-roles"] {
        let found = policy(&json!([{"path": path, "upstream": "origin", "public": true}])).unwrap_err();
        let expected = format!("route 1 ({path}) can never be reached: the edge keeps its path for itself");
        assert_eq!(found, [expected]);
    }
    assert!(policy(&json!([{"path": "/edge/*", "upstream": "origin", "public": true}])).is_ok());
}

fn patterns() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set(
        "(/[abA]|/\\{x\\})?(/[abA]|/\\{y\\})?(/[ab]|/\\{z\\}|/|/\\*)",
        1..7,
    )
    .prop_map(|patterns| patterns.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Of the routes that match a path, one is narrower than all others, or the table is refused; and a table
    /// without case variants that is refused as overlapping has a path that shows it.
    #[test]
    fn overlaps_are_all_reported_and_no_others(patterns in patterns()) {
        let world = world();
        let paths_of = |pattern: &String| -> BTreeSet<&String> {
            world.iter().filter(|path| matches(pattern, path)).collect()
        };
        let sets: Vec<BTreeSet<&String>> = patterns.iter().map(paths_of).collect();
        let crossing = sets.iter().enumerate().any(|(at, one)| {
            sets.iter().skip(at + 1).any(|other| {
                !one.is_disjoint(other) && (one == other || !(one.is_subset(other) || other.is_subset(one)))
            })
        });
        let mistakes = policy(&routes(&patterns, true)).err().unwrap_or_default();
        let reported = mistakes.iter().any(|mistake| mistake.contains("overlaps") || mistake.contains("can never match"));
        let has_case_variants = patterns.iter().any(|pattern| pattern.contains('A'));
        prop_assert!(reported || !crossing, "{patterns:?}: {mistakes:?}");
        prop_assert!(!reported || crossing || has_case_variants, "{patterns:?}: {mistakes:?}");
    }

    /// Where all routes demand the same, a route is unreachable if and only if each of its paths has a narrower one.
    #[test]
    fn routes_that_narrower_ones_cover_are_reported_and_no_others(patterns in patterns()) {
        let mistakes = policy(&routes(&patterns, true)).err().unwrap_or_default();
        prop_assume!(numbers_of(&mistakes, "overlaps").is_empty() && numbers_of(&mistakes, "can never match").is_empty());
        let world = world();
        let size = |pattern: &String| world.iter().filter(|path| matches(pattern, path)).count();
        let sizes: Vec<usize> = patterns.iter().map(size).collect();
        let reached: BTreeSet<usize> = world
            .iter()
            .filter_map(|path| {
                let fitting = (0..patterns.len()).filter(|at| matches(&patterns[*at], path));
                fitting.min_by_key(|at| sizes[*at])
            })
            .collect();
        let unreached: BTreeSet<usize> = (0..patterns.len()).filter(|at| !reached.contains(at)).map(|at| at + 1).collect();
        prop_assert_eq!(numbers_of(&mistakes, "can never be reached"), unreached, "{:?}", patterns);
    }

    /// Whatever they demand, a route is reported if and only if looking up every path of the world never finds it.
    #[test]
    fn routes_that_no_path_finds_are_reported_and_no_others(patterns in patterns()) {
        let table = json!({"issuer": "https://issuer", "audience": "app", "routes": routes(&patterns, false)});
        let mut mistakes = Mistakes::default();
        let policy = Policy::read(&table.to_string(), &mut mistakes).unwrap();
        prop_assume!(mistakes.0.is_empty());
        reach::report(&policy, &mut mistakes);
        let found: BTreeSet<usize> = world().iter().flat_map(|path| find_all(&policy, path)).collect();
        let unfound: BTreeSet<usize> = policy.routes().map(|route| route.number).filter(|number| !found.contains(number)).collect();
        prop_assert_eq!(numbers_of(&mistakes.0, "can never be reached"), unfound, "{:?}", patterns);
    }
}

fn find_all(policy: &Policy, path: &str) -> Vec<usize> {
    let url = format!("http://h{path}");
    let target = Target::of_url(&url).unwrap();
    let found = METHODS
        .iter()
        .filter_map(|method| match policy.find(method, &target) {
            Found::Route(route) => Some(route.number),
            Found::OtherMethods(_) | Found::Nothing | Found::TwoReadings => None,
        });
    found.collect()
}

/// The folders that differ from what decides on their own path, by number.
fn unlike(routes: &Value) -> Vec<(usize, usize)> {
    let policy = policy(routes).unwrap();
    let found = policy.unlike_their_folders();
    found
        .map(|found| (found.folder.number, found.decides.number))
        .collect()
}

#[test]
fn a_folder_whose_own_path_falls_to_a_route_that_demands_something_else_is_noticed() {
    let rest = json!({"path": "/*", "upstream": "app", "public": true});
    let admin = json!({"path": "/admin/*", "upstream": "app", "require": {"role": "admin"}});
    assert_eq!(unlike(&json!([rest, admin])), [(2, 1)]);
    // By a parameter, too, and below one.
    let page = json!({"path": "/{page}", "upstream": "app", "public": true});
    assert_eq!(unlike(&json!([page, admin])), [(2, 1)]);
    let below = json!({"path": "/v/{id}/*", "upstream": "app", "authenticated": true});
    assert_eq!(unlike(&json!([rest, below])), [(2, 1)]);
    // In what else is demanded, and the other way round.
    let sensitive = json!({"path": "/*", "upstream": "app", "require": {"role": "admin"}, "sensitive": true});
    assert_eq!(unlike(&json!([sensitive, admin])), [(2, 1)]);
}

#[test]
fn a_folder_whose_own_path_is_thought_of_or_is_nobodys_is_not_noticed() {
    let rest = json!({"path": "/*", "upstream": "app", "public": true});
    let admin = json!({"path": "/admin/*", "upstream": "app", "require": {"role": "admin"}});
    assert_eq!(unlike(&json!([admin])), []);
    assert_eq!(unlike(&json!([rest])), []);
    let own = json!({"path": "/admin", "upstream": "app", "public": true});
    assert_eq!(unlike(&json!([rest, admin, own])), []);
    let alike = json!({"path": "/*", "upstream": "other", "require": {"role": "admin"}});
    assert_eq!(unlike(&json!([alike, admin])), []);
    // For no method of the folder's.
    let written = json!({"path": "/*", "methods": ["POST"], "upstream": "app", "public": true});
    let read =
        json!({"path": "/admin/*", "methods": ["GET"], "upstream": "app", "require": {"role": "admin"}});
    assert_eq!(unlike(&json!([written, read])), []);
    let below = json!({"path": "/v/{id}/*", "upstream": "app", "authenticated": true});
    let itself = json!({"path": "/v/{venue}", "upstream": "app", "public": true});
    assert_eq!(unlike(&json!([rest, below, itself])), []);
}
