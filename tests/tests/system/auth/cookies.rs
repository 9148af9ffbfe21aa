//! `X-Token-Delivery: cookie`, and what is done with the cookies: the same at both doors.

use portcullis_tests::account::Account;
use portcullis_tests::answer::Answer;
use portcullis_tests::client::Call;
use portcullis_tests::world::Door;
use serde_json::json;

const ACCESS: &str = "__Host-pc_access";
const REFRESH: &str = "__Host-pc_refresh";
const DEVICE: &str = "__Host-pc_device";
const DELETED: &str = "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";

fn set_cookies(answer: &Answer) -> Vec<&str> {
    let lines = answer.headers.get_all("set-cookie");
    lines.iter().map(|line| line.to_str().unwrap()).collect()
}

/// `name=value` of both cookies of a session, as a browser sends them back.
#[track_caller]
pub(super) fn kept(answer: &Answer) -> [String; 2] {
    assert_eq!(
        answer.header("cache-control"),
        Some("private, no-store"),
        "{answer:?}"
    );
    let mut lines = set_cookies(answer);
    lines.retain(|line| !line.starts_with(DEVICE));
    assert_eq!(lines.len(), 2, "{lines:?}");
    [ACCESS, REFRESH].map(|name| {
        let line = lines.iter().find(|line| line.starts_with(name)).expect(name);
        assert!(
            line.contains("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age="),
            "{line}"
        );
        line.split(';').next().unwrap().to_owned()
    })
}

/// How many cookies by which the device will be known again.
fn given_to_device(answer: &Answer) -> usize {
    let lines = set_cookies(answer);
    lines.iter().filter(|line| line.starts_with(DEVICE)).count()
}

#[track_caller]
pub(super) fn assert_forgotten(answer: &Answer) {
    let mut lines = set_cookies(answer);
    lines.sort_unstable();
    assert_eq!(
        lines,
        [format!("{ACCESS}={DELETED}"), format!("{REFRESH}={DELETED}")]
    );
}

pub(super) async fn sign_in(account: &Account) -> Answer {
    let body = json!({"email": account.email, "password": account.password});
    let login = account.client.post("/auth/login").json(&body);
    login
        .header("x-token-delivery", "cookie")
        .send()
        .await
        .expect(200)
}

/// A request that a page of ours makes.
pub(super) fn own(call: Call, cookies: &str) -> Call {
    call.header("cookie", cookies)
        .header("sec-fetch-site", "same-origin")
}

#[tokio::test]
async fn a_session_in_cookies_lasts_from_login_through_refresh_to_logout() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let client = &account.client;
        let login = sign_in(&account).await;
        assert_eq!(
            login.json()["tokens"],
            json!({"expiresIn": 900, "refreshExpiresIn": 30 * 24 * 3600})
        );
        let [access, refresh] = kept(&login);
        assert_eq!(login.json()["deviceToken"], json!(null));
        assert_eq!(given_to_device(&login), 1);
        own(client.get("/auth/me"), &access).send().await.expect(200);

        let renewed = own(client.post("/auth/refresh"), &format!("{access}; {refresh}"))
            .send()
            .await;
        let renewed = renewed.expect(200);
        assert_eq!(given_to_device(&renewed), 0, "it has one");
        let [access, newer] = kept(&renewed);
        assert_ne!(newer, refresh);

        let logout = own(client.post("/auth/logout"), &format!("{access}; {newer}"))
            .send()
            .await;
        assert_forgotten(&logout.expect(204));
        let again = own(client.post("/auth/refresh"), &newer).send().await;
        again.problem(401, "invalid_refresh_token");
        assert_forgotten(&again);
    }
}

#[tokio::test]
async fn another_site_cannot_end_or_renew_a_session() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let client = &account.client;
        let [access, refresh] = kept(&sign_in(&account).await);
        let both = format!("{access}; {refresh}");
        for path in ["/auth/logout", "/auth/refresh", "/auth/login"] {
            for cookies in [&access, &refresh, &both] {
                for line in [
                    None,
                    Some(("sec-fetch-site", "cross-site")),
                    Some(("sec-fetch-site", "same-site")),
                    Some(("sec-fetch-site", "none")),
                    Some(("origin", "https://evil.example")),
                    Some(("origin", "null")),
                    Some(("x-csrf-token", "pcc_a.b.c")),
                ] {
                    let call = client.post(path).header("cookie", cookies);
                    let call = line
                        .into_iter()
                        .fold(call, |call, (name, value)| call.header(name, value));
                    call.send().await.problem(403, "csrf_rejected");
                }
            }
        }
        own(client.get("/auth/me"), &access).send().await.expect(200);
    }
}

#[tokio::test]
async fn a_client_without_fetch_metadata_shows_its_csrf_token() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let client = &account.client;
        let [access, refresh] = kept(&sign_in(&account).await);
        let [other, _] = kept(&sign_in(&account).await);
        let answer = client
            .get("/auth/csrf")
            .header("cookie", &access)
            .send()
            .await
            .expect(200);
        let token = answer.json()["csrfToken"].as_str().expect("a token").to_owned();
        let logout = |cookies: &str| client.post("/auth/logout").header("cookie", cookies);
        let foreign = logout(&other).header("x-csrf-token", &token).send().await;
        foreign.problem(403, "csrf_rejected");
        let renewed = client.post("/auth/refresh").header("cookie", &refresh);
        kept(&renewed.header("x-csrf-token", &token).send().await.expect(200));
        logout(&access)
            .header("x-csrf-token", &token)
            .send()
            .await
            .expect(204);
        own(client.get("/auth/me"), &other).send().await.expect(200);
        // Where nothing else says where a request comes from, our own origin does.
        logout(&other)
            .header("origin", door.url())
            .send()
            .await
            .expect(204);
    }
}

#[tokio::test]
async fn two_credentials_are_ambiguous() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let [access, refresh] = kept(&sign_in(&account).await);
        let me = || account.client.get("/auth/me");
        for call in [
            me().bearer(account.access_token()).header("cookie", &access),
            me().bearer(account.access_token()).header("cookie", &refresh),
            me().header("cookie", &format!("{access}; {access}")),
            me().header("cookie", &access).header("cookie", &access),
            me().header("cookie", &format!("a=1, {access}")),
        ] {
            call.send().await.problem(400, "ambiguous_credentials");
        }
    }
}
