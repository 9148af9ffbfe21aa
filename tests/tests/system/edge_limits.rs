//! The limits that the edge keeps: by client before anything is verified, by account after, and to the request where
//! credentials are tried.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use portcullis_tests::account::{Account, fresh_email};
use portcullis_tests::answer::Answer;
use portcullis_tests::client::{Call, Client};
use portcullis_tests::own_stack::Wanted;
use portcullis_tests::worker_config::WorkerConfig;
use portcullis_tests::world::{Door, state};
use portcullis_tests::{fresh_id, now};
use serde_json::json;

/// What the policy of development says.
const BY_CLIENT: usize = 100;
const BY_SUBJECT: usize = 100;
const SIGN_IN: usize = 30;
const POLICIES: &str = r#""edge-client";q=100;w=60, "edge-subject";q=100;w=60"#;
const SIGN_IN_POLICY: &str = r#""edge-sign-in";q=30;w=60"#;
/// How long an exact limit of 30 a minute takes to free one place.
const SIGN_IN_INTERVAL: Duration = Duration::from_secs(2);
/// Where credentials can be guessed, or accounts and mails be made.
const SIGN_IN_PATHS: [&str; 10] = [
    "/auth/register",
    "/auth/login",
    "/auth/login/mfa",
    "/auth/forgot-password",
    "/auth/reset-password",
    "/auth/wallet/login",
    "/auth/passkeys/login/start",
    "/auth/passkeys/login/finish",
    "/auth/biometric/login",
    "/auth/oauth/dev/login",
];

/// All values of a header, as one list.
fn list(answer: &Answer, name: &str) -> String {
    let values = answer.headers.get_all(name).iter();
    let texts: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
    texts.join(", ")
}

/// Holds an answer to be 429 of the edge's limit `name`, and returns its `Retry-After`.
#[track_caller]
fn refused_by(answer: &Answer, name: &str, policies: &str) -> u64 {
    let problem = answer.problem(429, "rate_limited");
    assert_eq!(problem["violated-policies"], json!([name]), "{answer:?}");
    assert_eq!(list(answer, "ratelimit-policy"), policies);
    let wait = answer.retry_after();
    assert_eq!(list(answer, "ratelimit"), format!("\"{name}\";r=0;t={wait}"));
    assert!((1..=60).contains(&wait), "{answer:?}");
    wait
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Makes an attempt that lies in one window of the platform, which are minutes of the clock. What has counted in one that
/// did not counts no more, for each attempt makes visitors of its own.
async fn in_one_window<T>(attempt: impl AsyncFn() -> T) -> T {
    for _ in 0..5 {
        let window = now() / 60;
        let outcome = attempt().await;
        if now() / 60 == window {
            return outcome;
        }
    }
    panic!("the attempt never fits into a minute");
}

async fn many(count: usize, call: impl Fn(usize) -> Call) -> Vec<Answer> {
    join_all((0..count).map(|at| call(at).send())).await
}

fn public(client: &Client) -> Call {
    client.get("/api/public/x")
}

/// A sign-in that the origin refuses before it hashes anything; at the edge it counts.
fn sign_in(client: &Client) -> Call {
    client.post("/auth/login").json(&json!({"email": fresh_email()}))
}

#[tokio::test]
async fn what_tries_no_credential_uses_up_no_place_among_the_sign_ins() {
    let client = Door::edge().client();
    let answers = many(SIGN_IN + 10, |at| {
        client.get(SIGN_IN_PATHS[at % SIGN_IN_PATHS.len()])
    })
    .await;
    for answer in &answers {
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    sign_in(&client).send().await.problem(400, "validation_failed");
}

#[tokio::test]
async fn the_101st_request_of_a_client_in_a_minute_is_refused_and_nobody_else_notices() {
    let door = Door::edge();
    let answers = in_one_window(async || {
        let client = door.client();
        many(BY_CLIENT + 5, |_| public(&client)).await
    })
    .await;
    assert_eq!((count(&answers, 200), count(&answers, 429)), (BY_CLIENT, 5));
    for answer in &answers {
        if answer.status == 200 {
            assert_eq!(list(answer, "ratelimit-policy"), POLICIES, "{answer:?}");
            // How many are left is not known.
            assert_eq!(answer.header("ratelimit"), None, "{answer:?}");
        } else {
            refused_by(answer, "edge-client", POLICIES);
        }
    }
    public(&door.client()).send().await.expect(200);
}

#[tokio::test]
async fn neighbours_in_one_network_of_64_bits_share_a_limit_and_an_ipv4_address_has_one_spelling() {
    let door = Door::edge();
    let at = |address: String| Client::at(door.clone(), address.parse::<IpAddr>().unwrap());
    let answers = in_one_window(async || {
        let [a, b, c, d, ..] = fresh_id().into_bytes();
        let network = format!("2001:db8:{a:x}{b:02x}:{c:x}{d:02x}");
        let neighbours = many(BY_CLIENT + 1, |host| public(&at(format!("{network}::{host:x}"))));
        let neighbours = neighbours.await;
        let spellings = ["", "::ffff:"].map(|prefix| at(format!("{prefix}198.18.{a}.{b}")));
        let spellings = many(BY_CLIENT + 1, |turn| public(&spellings[turn % 2])).await;
        [neighbours, spellings]
    })
    .await;
    for answers in answers {
        assert_eq!((count(&answers, 200), count(&answers, 429)), (BY_CLIENT, 1));
    }
}

#[tokio::test]
async fn an_account_is_limited_wherever_its_requests_come_from() {
    let door = Door::edge();
    let (account, answers) = in_one_window(async || {
        let account = Account::register(&door).await;
        let elsewhere = [door.client(), door.client()];
        let call = |turn: usize| {
            elsewhere[turn % 2]
                .get("/api/echo")
                .bearer(account.access_token())
        };
        let answers = many(BY_SUBJECT + 20, call).await;
        // What its gate refuses counts as well, so that nobody tries doors at will.
        let refused = account
            .client
            .get("/api/admin/ping")
            .bearer(account.access_token());
        (account.clone(), [answers, vec![refused.send().await]].concat())
    })
    .await;
    assert_eq!((count(&answers, 200), count(&answers, 429)), (BY_SUBJECT, 21));
    for answer in answers.iter().filter(|answer| answer.status == 429) {
        refused_by(answer, "edge-subject", POLICIES);
    }
    // Without the token, its address is like any other.
    public(&account.client).send().await.expect(200);
    let other = Account::register(&door).await;
    let echo = other.client.get("/api/echo").bearer(other.access_token());
    echo.send().await.expect(200);
}

#[tokio::test]
async fn made_up_credentials_cost_the_origin_no_more_than_a_clients_limit() {
    let door = Door::edge();
    let (flood, answers) = in_one_window(async || {
        let (client, flood) = (door.client(), format!("flood-{}", fresh_id().simple()));
        let answers = many(BY_CLIENT + 50, |at| {
            let call = client
                .get("/api/echo")
                .header("x-request-id", &format!("{flood}-{at}"));
            if at % 2 == 0 {
                // The edge asks the origin about what looks like a refresh token.
                let session = fresh_id();
                call.header(
                    "cookie",
                    &format!("__Host-pc_refresh=pcr_{session}.1.{}", fresh_id().simple()),
                )
            } else {
                call.header("authorization", "Bearer e30.e30.e30")
            }
        })
        .await;
        (flood, answers)
    })
    .await;
    assert_eq!((count(&answers, 401), count(&answers, 429)), (BY_CLIENT, 50));
    for answer in answers.iter().filter(|answer| answer.status == 429) {
        refused_by(answer, "edge-client", POLICIES);
    }
    let log = std::fs::read_to_string(state().join("log/origin.log")).unwrap();
    let is_answer = |line: &&str| line.contains(&flood) && line.contains("\"route\":\"/auth/refresh\"");
    let asked = log.lines().filter(is_answer).count();
    let passed = answers
        .iter()
        .enumerate()
        .filter(|(at, answer)| at % 2 == 0 && answer.status == 401);
    assert!(asked <= passed.count(), "{asked} calls of the origin");
}

#[tokio::test]
async fn of_many_sign_ins_at_once_exactly_as_many_pass_as_may_and_the_next_after_the_stated_time() {
    let door = Door::edge();
    let client = door.client();
    let began = Instant::now();
    let answers = many(SIGN_IN + 20, |_| sign_in(&client)).await;
    let freed = began.elapsed().as_secs() / SIGN_IN_INTERVAL.as_secs();
    let (passed, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 400);
    let most = SIGN_IN + usize::try_from(freed).unwrap();
    assert!(
        (SIGN_IN..=most).contains(&passed.len()),
        "{} passed, {freed} places became free meanwhile",
        passed.len()
    );
    // Each place was given to one of them.
    let mut left: Vec<_> = passed.iter().map(|answer| list(answer, "ratelimit")).collect();
    left.sort_unstable();
    left.dedup_by_key(|told| told.split(";t=").next().unwrap().to_owned());
    assert!(left.len() >= SIGN_IN, "{left:?}");
    for answer in &passed {
        assert!(
            list(answer, "ratelimit-policy").contains(SIGN_IN_POLICY),
            "{answer:?}"
        );
    }

    let refusal = refused.last().expect("most of the last are refused");
    let wait = refused_by(refusal, "edge-sign-in", SIGN_IN_POLICY);
    assert!(wait <= SIGN_IN_INTERVAL.as_secs(), "{refusal:?}");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    sign_in(&client).send().await.problem(400, "validation_failed");
    // Every other door stays open to it, and this one to others.
    public(&client).send().await.expect(200);
    sign_in(&door.client())
        .send()
        .await
        .problem(400, "validation_failed");
}

#[tokio::test]
async fn every_way_to_try_credentials_takes_from_one_exact_limit() {
    let client = Door::edge().client();
    for (taken, path) in SIGN_IN_PATHS.into_iter().enumerate() {
        let answer = client.post(path).json(&json!({})).send().await;
        let told = list(&answer, "ratelimit");
        let left = SIGN_IN - 1 - taken;
        // Some places may be free again by now.
        let is_told = (left..SIGN_IN).any(|left| told.contains(&format!("\"edge-sign-in\";r={left};t=")));
        assert!(is_told, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn limits_of_edge_and_origin_are_told_as_one_list() {
    let account = Account::register(&Door::edge()).await;
    let answer = account.login().await.expect(200);
    let (policies, counts) = (list(&answer, "ratelimit-policy"), list(&answer, "ratelimit"));
    for name in ["\"edge-sign-in\";", "\"login\";", "\"login-client\";"] {
        assert!(policies.contains(name) && counts.contains(name), "{answer:?}");
    }
}

#[tokio::test]
async fn without_its_keeper_an_exact_limit_closes_its_routes_and_no_others() {
    let mut wanted = Wanted::all();
    wanted.worker_config = Some(WorkerConfig::development().with_main("tests/hostile-limits.js"));
    let stack = wanted.start("hostile_limits").await;
    let client = stack.edge().client();
    // The first question to the object fails, the others hang.
    for path in SIGN_IN_PATHS {
        let began = Instant::now();
        let answer = client.post(path).json(&json!({})).send().await;
        answer.problem(503, "unavailable");
        assert_eq!(answer.retry_after(), 1);
        assert_eq!(list(&answer, "ratelimit-policy"), SIGN_IN_POLICY);
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{path}: {:?}",
            began.elapsed()
        );
    }
    public(&client).send().await.expect(200);
    client.get("/auth/me").send().await.problem(401, "invalid_token");
    let refresh = client
        .post("/auth/refresh")
        .json(&json!({"refreshToken": "pcr_x"}));
    refresh.send().await.problem(401, "invalid_refresh_token");
}
