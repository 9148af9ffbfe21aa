//! An origin that answers its edge alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis_origin::kernel::clock::Clock as _;
use portcullis_shared::request_signature::{SignedRequest, SigningKey, sign};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::common::{TestServer, fresh_nonce};
use crate::fixtures::assert_refused;
use crate::startup::{err, out, run, settings};

const SECRET: &[u8; 32] = b"0mzH4Xr9dQ2vLw7TnBc5Ke8YpUa1Gs6J";
const SECRET_BASE64: &str = "MG16SDRYcjlkUTJ2THc3VG5CYzVLZThZcFVhMUdzNko=";
/// What anybody may ask.
const OPEN: [&str; 4] = ["/live", "/ready", "/health", "/health/db"];

async fn server() -> TestServer {
    TestServer::start_on("postgres://unused@127.0.0.1:1/unused", |settings| {
        let keys = json!({"one": SECRET_BASE64}).to_string();
        settings.insert("PORTCULLIS__EDGE__SIGNING_KEYS".into(), keys);
        settings.insert("PORTCULLIS__EDGE__REQUIRED".into(), "true".into());
    })
    .await
}

/// Every path that a `.route(…)` in the sources names, parameters filled in.
fn routes() -> Vec<String> {
    let sources = sources();
    let constant = |name: &str| {
        let definition = format!("const {name}: &str = \"");
        let text = sources.iter().find_map(|text| text.split_once(&definition))?.1;
        Some(text.split('"').next()?.to_owned())
    };
    let mut routes = Vec::new();
    for place in sources.iter().flat_map(|text| text.split(".route(").skip(1)) {
        let argument = place.split(',').next().unwrap().trim();
        let path = match argument.strip_prefix('"') {
            Some(literal) => literal.trim_end_matches('"').to_owned(),
            None => constant(argument).unwrap_or_else(|| panic!("what is {argument}?")),
        };
        let fill = |segment: &str| {
            if segment.starts_with('{') {
                "x".to_owned()
            } else {
                segment.to_owned()
            }
        };
        routes.push(path.split('/').map(fill).collect::<Vec<_>>().join("/"));
    }
    routes
}

/// The sources of the origin and of what it shares with the edge.
fn sources() -> Vec<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = vec![here.join("src"), here.join("../shared/src")];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}

#[tokio::test]
async fn whoever_is_not_the_edge_is_refused_everywhere_but_where_health_is_told() {
    let server = server().await;
    let routes = routes();
    assert!(routes.len() > 15, "{routes:?}");
    for path in OPEN {
        assert!(
            routes.iter().any(|route| route == path),
            "{path} is not among {routes:?}"
        );
        let answer = server.get(path).send().await.unwrap();
        assert_ne!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let unknown = [
        "/",
        "/nothing",
        "/live/",
        "/live/x",
        "/LIVE",
        "//live",
        "/health/db/x",
        "/health/redis",
    ];
    let closed = routes
        .iter()
        .map(String::as_str)
        .filter(|path| !OPEN.contains(path));
    for path in closed.chain(unknown) {
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
        ] {
            let answer = server.request(method.clone(), path).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{method} {path}");
            assert_refused(answer, 403, "edge_required").await;
        }
        let answer = server.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn only_a_signature_that_holds_opens_it() {
    let server = server().await;
    let ask = |key: SigningKey| {
        let request = SignedRequest {
            method: "GET",
            authority: &server.address().to_string(),
            path: "/auth/me",
            query: None,
            headers: &[],
        };
        let signature = sign(&request, &key, &fresh_nonce(), server.clock.now().timestamp());
        let request = server
            .get("/auth/me")
            .header("signature-input", signature.signature_input);
        request.header("signature", signature.signature).send()
    };
    let signed = ask(SigningKey::new("one", SECRET).unwrap()).await.unwrap();
    assert_refused(signed, 401, "invalid_token").await;
    let forged = ask(SigningKey::new("one", &[7; 32]).unwrap()).await.unwrap();
    assert_refused(forged, 401, "invalid_edge_signature").await;
    // What the edge says in other words is no signature.
    let claimed = server.get("/auth/me").header("x-auth-client-ip", "203.0.113.7");
    assert_refused(claimed.send().await.unwrap(), 403, "edge_required").await;
}

/// What `config check` says to these settings: exit code, answer and mistakes.
async fn check(changes: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut all: BTreeMap<String, String> = settings("postgres://nobody@127.0.0.1:1/nothing")
        .into_iter()
        .collect();
    for (name, value) in changes {
        all.insert(format!("PORTCULLIS__{name}"), (*value).to_owned());
    }
    let output = run(&["config", "check"], &all.into_iter().collect::<Vec<_>>()).await;
    (output.status.code(), out(&output), err(&output))
}

#[tokio::test]
async fn a_server_that_others_can_reach_has_to_be_told_whom_it_answers() {
    let key = ("EDGE__SIGNING_KEYS__one", SECRET_BASE64);
    for everywhere in ["0.0.0.0:3001", "[::]:3001", "192.0.2.1:3001"] {
        let listen = ("HTTP__LISTEN", everywhere);
        let (code, _, mistakes) = check(&[listen, key]).await;
        assert_eq!(code, Some(2));
        assert!(mistakes.contains("edge.required: is missing"), "{mistakes}");

        let (code, said, _) = check(&[listen, key, ("EDGE__REQUIRED", "true")]).await;
        assert_eq!((code, said.as_str()), (Some(0), "ok\n"));

        let (code, said, _) = check(&[listen, key, ("EDGE__REQUIRED", "false")]).await;
        assert_eq!(code, Some(0));
        assert!(
            said.contains(&format!(
                "warning: edge.required is off: whoever reaches {everywhere}"
            )),
            "{said}"
        );
    }
    for alone in ["127.0.0.1:3001", "[::1]:3001"] {
        let (code, said, _) = check(&[("HTTP__LISTEN", alone), key]).await;
        assert_eq!((code, said.as_str()), (Some(0), "ok\n"));
    }
}

#[tokio::test]
async fn an_edge_that_is_required_has_a_key_and_yes_and_no_are_true_and_false() {
    for (changes, mistake) in [
        (&[("EDGE__REQUIRED", "true")][..], "edge.signing_keys: is missing"),
        (
            &[("EDGE__REQUIRED", "yes")],
            "edge.required: must be true or false",
        ),
        (&[("EDGE__REQUIRED", "")], "edge.required: must be true or false"),
    ] {
        let (code, _, mistakes) = check(changes).await;
        assert_eq!(code, Some(2), "{changes:?}");
        assert!(mistakes.contains(mistake), "{mistakes}");
    }
}
