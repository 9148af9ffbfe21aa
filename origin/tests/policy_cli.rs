//! `portcullis policy …`: the edge's table, looked at on the command line.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::common::{TestDatabase, TestServer};
use crate::fixtures::{register, without_limits};
use crate::startup::{err, out, run, settings};

/// A file of the checkout.
fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join(path).to_str().unwrap().to_owned()
}

/// Writes a file into `folder`.
fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

async fn policy(arguments: &[&str]) -> Output {
    let arguments: Vec<&str> = ["policy"].iter().chain(arguments).copied().collect();
    // Nothing is configured: none of these needs a server.
    run(&arguments, &[]).await
}

fn json_of(output: &Output) -> Value {
    serde_json::from_str(&out(output)).unwrap_or_else(|_| panic!("{}{}", out(output), err(output)))
}

/// A small table, with a role that nobody has and an upstream without a URL.
const TABLE: &str = r#"
[vars]
ORIGIN_URL = "http://127.0.0.1:3001"

[vars.POLICY]
issuer = "https://auth.example.com"
audience = "example"

[[vars.POLICY.routes]]
path = "/open/*"
upstream = "app"
public = true

[[vars.POLICY.routes]]
path = "/any/{venue}"
methods = ["GET"]
upstream = "app"
require = { any = [{ permission = "tickets:sell" }, { role = "door-staff" }] }
venue = "venue"

[[vars.POLICY.routes]]
path = "/any/{venue}"
methods = ["DELETE"]
upstream = "app"
require = { role = "usher" }
venue = "venue"

[[vars.POLICY.routes]]
path = "/any/*"
upstream = "app"
authenticated = true

[[vars.POLICY.routes]]
path = "/pay"
methods = ["POST"]
upstream = "app"
require = { permission = "wallet:spend" }
step_up = { max_age = 300, acr = "aal2" }
sensitive = true
max_body_bytes = 100

[env.broken.vars.POLICY]
issuer = "https://auth.example.com"
routes = [
    { path = "/x", upstream = "app", timeout = 5, public = true },
    { path = "/y", upstream = "app" },
]

[env.other.vars]
ORIGIN_URL = "ftp://nowhere"

[env.other.vars.POLICY]
issuer = "https://auth.example.com"
audience = "example"
routes = [{ path = "/x", upstream = "origin", public = true }]
"#;

#[tokio::test]
async fn the_development_table_has_no_mistakes_and_does_what_its_tests_say() {
    let table = file("wrangler.toml");
    let checked = policy(&["check", "--file", &table]).await;
    assert_eq!(checked.status.code(), Some(0), "{}", out(&checked));
    assert!(
        out(&checked).ends_with(" routes, no mistakes\n"),
        "{}",
        out(&checked)
    );
    assert!(!out(&checked).contains("warning"), "{}", out(&checked));

    let tested = policy(&["test", &file("tests/policy.toml"), "--file", &table]).await;
    assert_eq!(tested.status.code(), Some(0), "{}{}", out(&tested), err(&tested));
    assert!(!out(&tested).contains("no case is about"), "{}", out(&tested));
}

#[tokio::test]
async fn the_example_table_has_no_mistakes_and_does_what_its_tests_say() {
    let table = file("examples/policy/wrangler.toml");
    let checked = policy(&["check", "--file", &table]).await;
    assert_eq!(checked.status.code(), Some(0), "{}", out(&checked));
    assert!(!out(&checked).contains("warning"), "{}", out(&checked));

    let tested = policy(&["test", &file("examples/policy/tests.toml"), "--file", &table]).await;
    assert_eq!(tested.status.code(), Some(0), "{}{}", out(&tested), err(&tested));
    assert!(!out(&tested).contains("no case is about"), "{}", out(&tested));
}

#[tokio::test]
async fn check_prints_each_route_and_warns_of_what_may_be_right() {
    let folder = folder();
    let table = write(&folder, "wrangler.toml", TABLE);
    let checked = policy(&["check", "--file", &table]).await;
    assert_eq!(checked.status.code(), Some(0), "{}", err(&checked));
    let text = out(&checked);
    let line = text.lines().find(|line| line.contains("/pay")).unwrap();
    for part in [
        "POST",
        "permission wallet:spend",
        "step-up (300 s, aal2)",
        "sensitive",
        "body up to 100 bytes",
        "no limit",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(
        text.contains("permission tickets:sell or role door-staff at {venue}"),
        "{text}"
    );
    for warning in [
        "warning: UPSTREAM_APP is not among the variables of the file",
        "warning: route 3 (/any/{venue}) requires the role usher, which the table of roles does not have",
        "warning: route 5 (/pay) requires the permission wallet:spend, which no role lists",
    ] {
        assert!(text.contains(warning), "{warning}: {text}");
    }
    assert!(text.ends_with("5 routes, no mistakes\n"), "{text}");

    let report = json_of(&policy(&["check", "--file", &table, "--json"]).await);
    assert_eq!(report["routes"].as_array().unwrap().len(), 5);
    assert_eq!(report["mistakes"], json!([]));
    assert_eq!(report["warnings"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn check_shows_the_limits_of_each_route() {
    let checked = policy(&["check", "--file", &file("wrangler.toml")]).await;
    let text = out(&checked);
    for (path, limits) in [
        ("/auth/login ", ", limit edge-sign-in,"),
        ("/auth/* ", ", limit edge-client + edge-subject,"),
        ("/live ", ", no limit,"),
        ("/edge/check ", "limit edge-subject"),
    ] {
        let line = text.lines().find(|line| line.contains(path)).unwrap();
        assert!(line.contains(limits), "{line}");
    }
}

#[tokio::test]
async fn check_warns_of_a_folder_whose_own_path_is_anothers() {
    let folder = folder();
    let table = json!({"issuer": "i", "audience": "a", "routes": [
        {"path": "/*", "upstream": "app", "public": true},
        {"path": "/admin/*", "upstream": "app", "require": {"role": "admin"}},
    ]});
    let table = write(&folder, "table.json", &table.to_string());
    let checked = policy(&["check", "--file", &table]).await;
    assert_eq!(checked.status.code(), Some(0), "{}", err(&checked));
    let warning = "warning: route 2 (/admin/*) is for role admin, and does not take /admin itself: route 1 (/*) does, which is for ";
    assert!(out(&checked).contains(warning), "{}", out(&checked));
}

#[tokio::test]
async fn check_prints_every_mistake_and_fails() {
    let folder = folder();
    let table = write(&folder, "wrangler.toml", TABLE);
    let checked = policy(&["check", "--file", &table, "--env", "broken"]).await;
    assert_eq!(checked.status.code(), Some(1));
    let text = out(&checked);
    for mistake in [
        "mistake: POLICY has no audience",
        "mistake: route 1 (/x) has the unknown key \"timeout\": did you mean timeout_seconds?",
        "mistake: route 2 (/y) states no requirement",
        "mistakes: 3",
    ] {
        assert!(text.contains(mistake), "{mistake}: {text}");
    }
    let checked = policy(&["check", "--file", &table, "--env", "other"]).await;
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        out(&checked).contains("mistake: ORIGIN_URL is not http:// or https://"),
        "{}",
        out(&checked)
    );
}

#[tokio::test]
async fn a_table_is_read_from_a_file_of_its_own_and_what_is_none_is_named() {
    let folder = folder();
    let bare = json!({"issuer": "i", "audience": "a", "routes": [{"path": "/x", "upstream": "app", "public": true}]});
    let table = write(&folder, "table.json", &bare.to_string());
    let checked = policy(&["check", "--file", &table]).await;
    assert_eq!(checked.status.code(), Some(0), "{}", err(&checked));
    assert!(
        out(&checked).ends_with("1 routes, no mistakes\n"),
        "{}",
        out(&checked)
    );

    let table = write(&folder, "wrangler.toml", TABLE);
    let empty = write(&folder, "empty.toml", "[vars]\nA = 1\n");
    let broken = write(&folder, "broken.toml", "[vars\n");
    for (arguments, expected) in [
        (
            vec!["--file", &table, "--env", "nobody"],
            "there is no [env.nobody.vars]",
        ),
        (vec!["--file", &empty], "[vars] has no POLICY"),
        (vec!["--file", &broken], "broken.toml"),
        (vec!["--file", "/nowhere/wrangler.toml"], "/nowhere/wrangler.toml"),
    ] {
        let arguments: Vec<&str> = ["check"].into_iter().chain(arguments).collect();
        let failed = policy(&arguments).await;
        assert_eq!(failed.status.code(), Some(1), "{arguments:?}");
        assert!(err(&failed).contains(expected), "{expected}: {}", err(&failed));
    }
}

/// Explains a request by `claims` to the small table.
async fn explained(claims: &Value, request: &[&str]) -> (Option<i32>, Value) {
    let folder = folder();
    let table = write(&folder, "wrangler.toml", TABLE);
    let claims = write(&folder, "claims.json", &claims.to_string());
    let fixed = ["explain", "--json", "--file", &table, "--claims", &claims];
    let arguments: Vec<&str> = fixed.into_iter().chain(request.iter().copied()).collect();
    let output = policy(&arguments).await;
    (output.status.code(), json_of(&output))
}

fn step<'r>(report: &'r Value, name: &str) -> &'r Value {
    let steps = report["steps"].as_array().unwrap();
    steps
        .iter()
        .find(|step| step["name"] == name)
        .unwrap_or(&Value::Null)
}

#[tokio::test]
async fn explain_tells_what_a_refused_request_lacks() {
    let claims = json!({"permissions": ["a", "b"], "acr": "aal1", "auth_age_seconds": 400});
    let (code, report) = explained(&claims, &["--method", "POST", "--path", "/pay?a=b"]).await;
    assert_eq!(code, Some(1));
    assert_eq!(report["decision"], "forbidden");
    assert_eq!(report["reason"], "missing: permission wallet:spend");
    assert_eq!(report["status"], 403);
    assert_eq!(step(&report, "target")["detail"], "/pay?a=b");
    let require = step(&report, "require");
    assert_eq!(require["outcome"], "refused");
    assert_eq!(
        require["notes"],
        json!(["it lacks the permission wallet:spend; of its kind it has: a, b"])
    );
    assert_eq!(step(&report, "max_age")["outcome"], "refused");
    assert_eq!(step(&report, "acr")["detail"], "at least aal2: aal1");
    let headers = report["headers"].as_array().unwrap();
    assert!(
        headers.contains(&json!([
            "www-authenticate",
            r#"Bearer error="insufficient_scope""#
        ])),
        "{headers:?}"
    );
}

#[tokio::test]
async fn explain_tells_why_a_request_passes_and_what_the_upstream_is_told() {
    let claims = json!({"sub": "ada", "venues": {"v1": ["door-staff"]}});
    let (code, report) = explained(&claims, &["--path", "/any/v1"]).await;
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["decision"], "pass");
    assert_eq!(report["upstream"], "app");
    assert_eq!(step(&report, "require")["outcome"], "good");
    assert_eq!(
        step(&report, "require")["notes"],
        json!([
            "it lacks the permission tickets:sell at v1; of roles there it has: door-staff",
            "it has the role door-staff at v1; of roles there it has: door-staff"
        ])
    );
    let lost = step(&report, "route")["notes"].as_array().unwrap();
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(
        lost.iter()
            .any(|note| note.as_str().unwrap().contains("3 /any/{venue} (DELETE)")),
        "{lost:?}"
    );
    let told = report["headers"].as_array().unwrap();
    assert!(told.contains(&json!(["x-auth-subject", "ada"])), "{told:?}");
    assert!(
        step(&report, "token")["detail"]
            .as_str()
            .unwrap()
            .starts_with("believed without a signature"),
        "{report}"
    );
}

#[tokio::test]
async fn explain_sends_a_session_cookie_and_other_headers() {
    let claims = json!({});
    let by_cookie = |site: &'static str| {
        [
            "--method",
            "POST",
            "--path",
            "/any/v1/x",
            "--cookie",
            "--header",
            site,
        ]
    };
    let (code, report) = explained(&claims, &by_cookie("Sec-Fetch-Site: cross-site")).await;
    assert_eq!((code, &report["decision"]), (Some(1), &json!("csrf_rejected")));
    let (code, report) = explained(&claims, &by_cookie("Sec-Fetch-Site: same-origin")).await;
    assert_eq!((code, &report["decision"]), (Some(0), &json!("pass")));
    assert_eq!(step(&report, "credential")["detail"], "session cookies: access");
}

#[tokio::test]
async fn explain_decides_for_the_moment_that_is_named() {
    let claims = json!({"exp": 1_800_000_000, "iat": 1_799_999_100});
    let at = |time: &'static str| ["--path", "/any/v1/x", "--at", time];
    let (_, report) = explained(&claims, &at("2027-01-15T08:00:04Z")).await;
    assert_eq!(
        (&report["decision"], &report["at"]),
        (&json!("pass"), &json!("2027-01-15T08:00:04.000Z"))
    );
    let (_, report) = explained(&claims, &at("2027-01-15T08:00:05Z")).await;
    assert_eq!(report["decision"], "invalid_token");
    assert_eq!(step(&report, "token")["outcome"], "refused");
}

#[tokio::test]
async fn a_token_is_not_taken_from_the_command_line() {
    let folder = folder();
    let table = write(&folder, "wrangler.toml", TABLE);
    for header in [
        "Authorization: Bearer a.b.c",
        "Cookie: a=b; __Host-pc_access=a.b.c",
    ] {
        let refused = policy(&["explain", "--file", &table, "--path", "/pay", "--header", header]).await;
        assert_eq!(refused.status.code(), Some(2), "{header}");
        assert!(
            err(&refused).contains("a token is given by --token"),
            "{}",
            err(&refused)
        );
    }
}

#[tokio::test]
async fn a_token_is_verified_with_the_published_keys_or_with_those_of_a_file() {
    // The program has to open what the server has sealed.
    let server = TestServer::start_with(|own| {
        without_limits(own);
        let named = settings("").into_iter();
        own.extend(named.filter(|(name, _)| name == "PORTCULLIS__SECRETS__MASTER_KEY"));
    })
    .await;
    let person = register(&server, "ada@example.com").await;
    let folder = folder();
    let table = write(&folder, "wrangler.toml", TABLE);
    let token = write(&folder, "token.txt", &person.access);
    let keys = server.get("/.well-known/jwks.json").send().await.unwrap();
    let keys = write(&folder, "jwks.json", &keys.text().await.unwrap());
    let ask = [
        "explain",
        "--json",
        "--file",
        &table,
        "--path",
        "/any/v1/x",
        "--token",
        &token,
    ];
    let by_file: Vec<&str> = ask.into_iter().chain(["--jwks", &keys]).collect();
    let report = json_of(&policy(&by_file).await);
    assert_eq!(report["decision"], "pass", "{report}");
    assert!(
        step(&report, "token")["detail"]
            .as_str()
            .unwrap()
            .contains(&person.user_id),
        "{report}"
    );
    assert!(
        person
            .access
            .split('.')
            .all(|part| !report.to_string().contains(part)),
        "the token is not shown"
    );

    let arguments: Vec<&str> = ["policy"].into_iter().chain(ask).collect();
    let database = server.database.as_ref().unwrap();
    let report = json_of(&run(&arguments, &settings(database.url())).await);
    assert_eq!(report["decision"], "pass", "{report}");

    // Another installation has other keys.
    let other = TestDatabase::create().await;
    let report = json_of(&run(&arguments, &settings(other.url())).await);
    assert_eq!(report["decision"], "invalid_token", "{report}");
}

#[tokio::test]
async fn test_prints_what_is_not_as_expected_and_fails() {
    let folder = folder();
    let table = write(&folder, "wrangler.toml", TABLE);
    let cases = r#"
[callers.staff]
venues = { v1 = ["door-staff"] }

[[case]]
name = "staff reads"
path = "/any/v1"
as = "staff"
expect = "pass"
route = "/any/{venue}"

[[case]]
name = "staff pays"
method = "POST"
path = "/pay"
as = "staff"
expect = "pass"
status = 204

[[case]]
name = "another route"
path = "/open/x"
expect = "pass"
route = "/open"
"#;
    let tested = policy(&["test", &write(&folder, "cases.toml", cases), "--file", &table]).await;
    assert_eq!(tested.status.code(), Some(1));
    assert_eq!(
        out(&tested),
        "ok      staff reads\n\
         FAILED  staff pays\n        decision: expected pass, came forbidden\n        status: expected 204, came 403\n        \
         because: missing: permission wallet:spend\n\
         FAILED  another route\n        route: expected /open, came /open/*\n\
         no case is about route 3 (/any/{venue})\n\
         no case is about route 4 (/any/*)\n\
         3 cases, 2 not as expected\n"
    );
}

#[tokio::test]
async fn a_file_of_cases_with_a_mistake_decides_nothing() {
    let folder = folder();
    let table = write(&folder, "wrangler.toml", TABLE);
    let case = |rest: &str| format!("[[case]]\nname = \"c\"\npath = \"/open/x\"\n{rest}\n");
    for (cases, expected) in [
        (case("expect = \"allowed\""), "which is neither pass"),
        (case("expect = \"pass\"\nas = \"ada\""), "not among the callers"),
        (
            case("expect = \"pass\"\nclaims = { permission = [\"a\"] }"),
            "there is no claim permission",
        ),
        (case("expect = \"pass\"\nuser = \"ada\""), "unknown field `user`"),
        (case(""), "missing field `expect`"),
        (String::new(), "missing field `case`"),
    ] {
        let tested = policy(&["test", &write(&folder, "cases.toml", &cases), "--file", &table]).await;
        assert_eq!(tested.status.code(), Some(1), "{cases}");
        let text = format!("{}{}", out(&tested), err(&tested));
        assert!(
            text.contains(expected) && !text.contains("as expected"),
            "{expected}: {text}"
        );
    }
}

#[tokio::test]
async fn explanations_for_people_name_steps_decision_and_answer() {
    let folder = folder();
    let table = write(&folder, "wrangler.toml", TABLE);
    let refused = policy(&[
        "explain", "--file", &table, "--path", "/any/v1", "--method", "DELETE",
    ])
    .await;
    assert_eq!(refused.status.code(), Some(1));
    let text = out(&refused);
    for line in [
        "good     target       /any/v1\n",
        "good     credential   none\n",
        "refused  token        there is none\n",
        "decision: invalid_token: no token was presented\n",
        "the edge answers 401:\n",
        "  www-authenticate: Bearer\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let passed = policy(&["explain", "--file", &table, "--path", "/open/x"]).await;
    assert_eq!(passed.status.code(), Some(0));
    assert!(
        out(&passed).contains("decision: pass\nit is forwarded to the upstream app"),
        "{}",
        out(&passed)
    );
}

#[tokio::test]
async fn check_holds_limits_against_the_bindings_that_keep_them() {
    let folder = folder();
    let development = std::fs::read_to_string(file("wrangler.toml")).unwrap();
    let another = development.replacen("limit = 100, period = 60", "limit = 99, period = 60", 1);
    let table = write(&folder, "wrangler.toml", &another);
    let checked = policy(&["check", "--file", &table]).await;
    assert_eq!(checked.status.code(), Some(1), "{}", out(&checked));
    let mistake = "mistake: limit 1 (edge-client) needs an entry \"LIMIT_CLIENT\" of [[ratelimits]] with simple = { limit = 100, period = 60 }";
    assert!(out(&checked).contains(mistake), "{}", out(&checked));
}
