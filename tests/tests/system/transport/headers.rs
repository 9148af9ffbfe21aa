//! Headers that end at the edge, and those that it adds.

use portcullis_tests::account::Account;
use portcullis_tests::answer::Answer;
use portcullis_tests::client::Client;
use portcullis_tests::plain_worker::PlainWanted;
use portcullis_tests::raw;
use portcullis_tests::scripted::ScriptedUpstream;
use portcullis_tests::world::Door;
use serde_json::json;

use super::{ALLOWED, scripted};

/// What answers say that nobody has said otherwise about.
const STRICT: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-site"),
];

fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let values = answer.headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn every_answer_has_the_security_headers_once() {
    let client = Door::edge().client();
    let account = Account::register(&Door::edge()).await;
    for (call, status) in [
        (client.get("/api/echo").bearer(account.access_token()), 200),
        (client.get("/api/echo"), 401),
        (client.get("/nowhere"), 404),
        (client.post("/api/reports"), 405),
        (client.get("/auth/me").bearer(account.access_token()), 200),
        (client.get("/.well-known/jwks.json"), 200),
        (client.get("/live"), 200),
    ] {
        let answer = call.send().await.expect(status);
        let is_the_origins = answer.header("content-security-policy").is_some();
        for (name, value) in STRICT {
            let expected = match name {
                // The origin says it more strictly for its own answers.
                "referrer-policy" if is_the_origins => "no-referrer",
                _ => value,
            };
            assert_eq!(values(&answer, name), [expected], "{name}: {answer:?}");
        }
        assert_eq!(
            answer.header("strict-transport-security"),
            None,
            "without TLS it is not for us to say"
        );
    }
}

#[tokio::test]
async fn an_answer_without_a_policy_has_the_security_headers_too() {
    let worker = PlainWanted::routes(json!([])).start("no-policy").await;
    let answer = worker.door().client().get("/live").send().await;
    answer.problem(500, "internal_error");
    for (name, value) in STRICT {
        assert_eq!(values(&answer, name), [value], "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn a_route_says_otherwise_for_itself_alone() {
    let client = Door::edge().client();
    for (name, value) in STRICT {
        let expected = if name == "cross-origin-resource-policy" {
            "cross-origin"
        } else {
            value
        };
        let answer = client.get("/api/public/poster").send().await.expect(200);
        assert_eq!(values(&answer, name), [expected], "{name}");
        let refused = client
            .get("/api/public/poster")
            .bearer("not-a-token")
            .send()
            .await
            .expect(401);
        assert_eq!(values(&refused, name), [expected], "{name}");
    }
}

#[tokio::test]
async fn what_is_for_one_connection_ends_at_the_edge_and_what_an_upstream_chose_stays() {
    let (stack, upstream) = scripted("headers").await;
    let client = stack.edge().client();
    requests_lose_their_hop(&client, &upstream).await;
    responses_lose_their_hop(&client, &upstream).await;
    an_upstreams_choice_stays(&client, &upstream).await;
    sharing_is_the_edges_to_say(&client, &upstream).await;
}

/// What `Connection` itself names cannot be shown here: `wrangler dev` keeps that header to itself and passes on what it
/// names, before the Worker sees either.
async fn requests_lose_their_hop(client: &Client, upstream: &ScriptedUpstream) {
    let arriving = upstream.expect("/api/public/hop");
    let mut request = raw::head(client, b"GET /api/public/hop");
    request.extend(
        b"X-End: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n\
          Proxy-Authorization: Basic dTpw\r\nProxy-Connection: keep-alive\r\nTrailer: X-Sum\r\nUpgrade: h2c\r\n\r\n",
    );
    let (answer, ()) = tokio::join!(raw::exchange(client, &request), async {
        let arrival = arriving.await;
        for name in [
            "keep-alive",
            "te",
            "proxy-authorization",
            "proxy-connection",
            "trailer",
            "upgrade",
            "transfer-encoding",
        ] {
            assert_eq!(arrival.header(name), [""; 0], "{name}: {}", arrival.head);
        }
        assert_eq!(arrival.header("x-end"), ["1"]);
        arrival
            .answer("200 OK", "Content-Length: 2\r\nConnection: close\r\n", b"ok")
            .await;
    });
    answer.expect("an answer").expect(200);
}

async fn responses_lose_their_hop(client: &Client, upstream: &ScriptedUpstream) {
    let arriving = upstream.expect("/api/public/back");
    let mut request = raw::head(client, b"GET /api/public/back");
    request.extend(b"\r\n");
    let (answer, ()) = tokio::join!(raw::exchange(client, &request), async {
        let headers = "Connection: close, X-Secret, x-other, x-request-id\r\nX-Secret: 1\r\nX-Other: 1\r\nX-End: 1\r\n\
             Keep-Alive: timeout=55\r\nProxy-Authenticate: Basic\r\nProxy-Connection: close\r\nTE: trailers\r\n\
             Proxy-Authentication-Info: x\r\nTrailer: X-Sum\r\nUpgrade: h2c\r\nContent-Length: 2\r\n";
        arriving.await.answer("200 OK", headers, b"ok").await;
    });
    let answer = answer.expect("an answer").expect(200);
    assert!(
        answer.header("x-request-id").is_some(),
        "it is the edge's: {answer:?}"
    );
    for name in [
        "x-secret",
        "x-other",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
    ] {
        assert_eq!(answer.header(name), None, "{name}: {answer:?}");
    }
    // The edge's server may say this of its own connection; not what the upstream said of another.
    assert_ne!(answer.header("keep-alive"), Some("timeout=55"));
    assert_eq!(answer.header("x-end"), Some("1"));
    assert_eq!(&answer.body[..], b"ok");
}

async fn an_upstreams_choice_stays(client: &Client, upstream: &ScriptedUpstream) {
    let arriving = upstream.expect("/api/public/own");
    let (answer, ()) = tokio::join!(client.get("/api/public/own").send(), async {
        let headers = "X-Frame-Options: SAMEORIGIN\r\nReferrer-Policy: origin\r\nContent-Length: 0\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\nStrict-Transport-Security: max-age=1\r\n";
        arriving.await.answer("200 OK", headers, b"").await;
    });
    for (name, value) in [
        ("x-frame-options", "SAMEORIGIN"),
        ("referrer-policy", "origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=1"),
    ] {
        assert_eq!(values(&answer, name), [value], "{name}");
    }
}

async fn sharing_is_the_edges_to_say(client: &Client, upstream: &ScriptedUpstream) {
    for (origin, allowed) in [(ALLOWED, &[ALLOWED][..]), ("http://evil.example", &[])] {
        let arriving = upstream.expect("/api/public/shared");
        let call = client.get("/api/public/shared").header("origin", origin);
        let (answer, ()) = tokio::join!(call.send(), async {
            let headers = "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\nContent-Length: 0\r\n\
                 Access-Control-Expose-Headers: x-internal\r\nAccess-Control-Max-Age: 9\r\nVary: Accept-Encoding\r\n";
            arriving.await.answer("200 OK", headers, b"").await;
        });
        assert_eq!(
            values(&answer, "access-control-allow-origin"),
            allowed,
            "{origin}"
        );
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
        assert!(!exposed.contains("x-internal"), "{exposed}");
        assert_eq!(exposed.is_empty(), allowed.is_empty());
        assert_eq!(answer.header("access-control-max-age"), None);
        assert_eq!(
            answer.header("access-control-allow-credentials").is_some(),
            !allowed.is_empty()
        );
        assert_eq!(values(&answer, "vary").join(", "), "Accept-Encoding, Origin");
    }
}
