//! The Worker panics: what becomes of the request, of those beside it, and of those after it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use portcullis_tests::bare_edge::BareEdge;
use portcullis_tests::eventually;
use portcullis_tests::forge::Issuer;
use portcullis_tests::hostile::{Act, Hostile, say};

use super::{KEY_SET, assert_tells_nothing, claims, origin, plain};
use portcullis_shared::jwk::{JwkSet, RsaVerifyingKey};

const SLOW: &str = "/patient/held";
const IN_FLIGHT: usize = 20;

fn held() -> Vec<Act> {
    vec![
        Act::Hold,
        say(
            "HTTP/1.1 200 OK\r\nSet-Cookie: theme=dark\r\nSet-Cookie: __Host-pc_access=planted\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        ),
    ]
}

#[tokio::test]
async fn a_panic_fails_its_own_request_and_none_that_waits_for_an_upstream() {
    let issuer = Issuer::unknown();
    let (app, origin) = (Hostile::start().await, origin().await);
    let key = RsaVerifyingKey::from_components(issuer.kid(), &issuer.modulus(), &[1, 0, 1]).unwrap();
    origin.answer(KEY_SET, plain(&JwkSet::from_keys(vec![key]).to_json()));
    app.answer(SLOW, held());
    let edge = BareEdge::start_panicking(origin.url(), app.url()).await;
    let client = edge.door().client();
    let token = issuer.token(&claims());
    client.get("/me").bearer(&token).send().await.expect(200);
    let slow: Vec<_> = (0..IN_FLIGHT)
        .map(|number| {
            let call = client
                .get(SLOW)
                .header("x-request-id", &format!("in-flight-{number}"));
            tokio::spawn(call.send())
        })
        .collect();
    eventually("all are with the upstream", Duration::from_secs(10), async || {
        (app.heads(SLOW).len() == IN_FLIGHT).then_some(())
    })
    .await;

    for round in 0..3 {
        let id = format!("it-panicked-{round}");
        let panicked = client.get("/app/panic").header("x-request-id", &id).send().await;
        panicked.problem(500, "internal_error");
        assert_eq!(panicked.header("x-request-id"), Some(id.as_str()));
        assert_eq!(panicked.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(panicked.header("x-frame-options"), Some("DENY"));
        assert_tells_nothing(&panicked);
        // The next one is served, by an instance that knows nothing yet.
        client.get("/app/fine").send().await.expect(200);
        client.get("/me").bearer(&token).send().await.expect(200);
    }

    app.release();
    for (number, answer) in join_all(slow).await.into_iter().enumerate() {
        let answer = answer.unwrap().expect(200);
        assert_eq!(&answer.body[..], b"ok");
        assert_eq!(
            answer.header("x-request-id"),
            Some(format!("in-flight-{number}").as_str())
        );
        let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        assert_eq!(
            cookies,
            ["theme=dark"],
            "an application planted a session after the panic"
        );
    }
    let log = edge.log();
    assert!(
        log.contains("a test asked for it") && log.contains("the Worker has panicked"),
        "{log}"
    );
}

#[tokio::test]
async fn a_panic_after_a_pause_fails_its_own_request_and_those_that_waited_in_the_module() {
    let app = Hostile::start().await;
    app.answer(SLOW, held());
    let edge = BareEdge::start_panicking(app.url(), app.url()).await;
    let client = edge.door().client();
    client.get("/app/fine").send().await.expect(200);
    let slow = tokio::spawn(client.get(SLOW).send());
    eventually("it is with the upstream", Duration::from_secs(10), async || {
        (app.heads(SLOW).len() == 1).then_some(())
    })
    .await;
    let began = Instant::now();
    let waiting = tokio::spawn(client.get("/app/wait").stream());
    let panicked = client
        .get("/app/panic-later")
        .stream()
        .await
        .expect("the platform's answer");
    println!(
        "panicked later: {} after {:?}",
        panicked.status(),
        began.elapsed()
    );
    assert_eq!(panicked.status(), 500);
    client.get("/app/fine").send().await.expect(200);
    let waited = waiting.await.unwrap().expect("the platform's answer");
    println!(
        "waited in the module: {} after {:?}",
        waited.status(),
        began.elapsed()
    );
    assert_eq!(waited.status(), 500);
    app.release();
    slow.await.unwrap().expect(200);
}
