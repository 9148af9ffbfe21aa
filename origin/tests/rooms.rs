//! The direction of imports between the rooms, and where SQL may stand.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// From the ground up. A room may import from earlier lines, and not from its own line.
const FLOORS: &[&[&str]] = &[
    &["kernel"],
    &["http"],
    &["jobs", "audit", "rate_limit"],
    &["mail"],
    &["revocations"],
    &["accounts"],
    &["devices", "sessions", "rbac", "lockout"],
    &["tokens"],
    &["reauthentication", "device_keys"],
    &["mfa"],
    &["recovery"],
    &["access", "clients", "feed", "permissions", "profile"],
    &["login", "account_export"],
    &["app"],
    &["cli"],
];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn source_files() -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    files
}

/// The first part of the path below `src`: `sessions` for `sessions/store.rs`, `app` for `app.rs`.
fn room_of(file: &Path) -> String {
    let below = file
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    let first = below.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Every name that follows `crate::` or `super::`, also within braces, outside of comments.
fn imported(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut names = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let rest = &code[at + prefix.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            names.extend(group_heads(group));
        } else {
            names.insert(leading_name(rest));
        }
    }
    names
}

fn leading_name(text: &str) -> String {
    text.chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect()
}

/// The first names of the outer entries of `{a::b, c::{d, e}}`, given without the opening brace.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.push(leading_name(group[start..at].trim_start()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(leading_name(group[start..at].trim_start()));
                start = at + 1;
            }
            _ => {}
        }
    }
    heads
}

#[test]
fn rooms_import_only_what_lies_below_them() {
    let mut violations = Vec::new();
    for file in source_files() {
        let room = room_of(&file);
        if matches!(room.as_str(), "lib" | "main") {
            continue;
        }
        let own = floor(&room).unwrap_or_else(|| panic!("the room `{room}` has no floor in this test"));
        for name in imported(&std::fs::read_to_string(&file).unwrap()) {
            let Some(theirs) = floor(&name) else { continue };
            if name != room && theirs >= own {
                violations.push(format!("{}: imports {name}", file.display()));
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn only_the_policy_commands_know_the_edge() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/policy");
    let knowing: Vec<PathBuf> = source_files()
        .into_iter()
        .filter(|file| std::fs::read_to_string(file).unwrap().contains("portcullis_edge"))
        .collect();
    assert!(!knowing.is_empty(), "the scanner finds nothing");
    let others: Vec<&PathBuf> = knowing.iter().filter(|file| !file.starts_with(&own)).collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn every_room_is_found() {
    let found: BTreeSet<String> = source_files().iter().map(|file| room_of(file)).collect();
    for room in FLOORS.iter().copied().flatten() {
        assert!(found.contains(*room), "{room} has no source");
    }
}

#[test]
fn the_scanner_sees_every_spelling_of_an_import() {
    let text = "use crate::tokens::keys;\n// crate::login\nuse crate::{sessions::{a, b}, accounts};\n\
                fn f() { crate::jobs::run() }\nuse super::super::audit::record;\n";
    let expected = ["tokens", "sessions", "accounts", "jobs", "audit", "super"];
    assert_eq!(imported(text), expected.map(str::to_owned).into());
}

#[test]
fn sql_stands_in_stores_only() {
    let mut violations = Vec::new();
    for file in source_files() {
        let is_store = file.ends_with("store.rs") || file.ends_with("kernel/db.rs");
        let text = std::fs::read_to_string(&file).unwrap();
        let has_sql = ["sqlx::query", "query!(", "query_as!(", "query_scalar!("]
            .iter()
            .any(|sql| text.contains(sql));
        if has_sql && !is_store {
            violations.push(file);
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

/// Elsewhere a transaction would wait for a lock as long as it takes.
#[test]
fn transactions_begin_in_one_place() {
    let of_the_driver = ["sqlx::Connection", ".begin_with(", "PgPool"];
    let begins = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        of_the_driver.iter().any(|name| text.contains(name))
    };
    let found: BTreeSet<String> = source_files()
        .iter()
        .filter(|file| begins(file))
        .map(|file| room_of(file))
        .collect();
    // The job queue brings its own transactions.
    assert_eq!(found, ["jobs", "kernel"].map(str::to_owned).into());
}

#[test]
fn files_are_short_enough_to_read() {
    let long: Vec<PathBuf> = source_files()
        .into_iter()
        .filter(|file| std::fs::read_to_string(file).unwrap().lines().count() > 450)
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}
