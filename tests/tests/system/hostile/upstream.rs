//! What a client gets when an application or the origin answers with anything but HTTP as it should be.

use futures_util::{FutureExt as _, StreamExt as _, stream};
use portcullis_tests::bare_edge::BareEdge;
use portcullis_tests::client::Client;
use portcullis_tests::hostile::{Act, Hostile, say};

use super::{Outcome, assert_tells_nothing, outcome_of};

/// What the client must get.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// A problem.
    Problem(u16, &'static str),
    /// The upstream's answer, whole.
    Passed(u16),
    /// The upstream's status, and a body that visibly broke off.
    Cut(u16),
}

const BAD_GATEWAY: Expected = Expected::Problem(502, "bad_gateway");
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TIMEOUT: Expected = Expected::Problem(504, "gateway_timeout");

/// The last segment of a path, what is answered there, and what the client must get.
type Case = (&'static str, Vec<Act>, Expected);

/// An answer that is as it should be, but for its beginning.
fn status(line: &str) -> Vec<Act> {
    vec![say(&format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n"))]
}

/// The same, but for some header lines.
fn headers(lines: &str) -> Vec<Act> {
    vec![say(&format!(
        "HTTP/1.1 200 OK\r\n{lines}\r\nContent-Length: 0\r\n\r\n"
    ))]
}

/// Nothing comes, or not enough.
fn silences() -> Vec<Case> {
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let dribble = Act::Repeat(b"X-A: b\r\n".to_vec());
    let timeout = |name, acts| (name, acts, TIMEOUT);
    let gateway = |name, acts| (name, acts, BAD_GATEWAY);
    vec![
        timeout("hang", vec![Act::Hang]),
        timeout("dribble", vec![say("HTTP/1.1 200 OK\r\n"), dribble]),
        timeout("half-a-status", vec![say("HTTP/1.1 2"), Act::Hang]),
        timeout("hints-for-ever", vec![Act::Repeat(hint.into())]),
        gateway("close", vec![]),
        gateway("reset", vec![Act::Reset]),
        gateway(
            "reset-in-head",
            vec![say("HTTP/1.1 200 OK\r\nContent-Le"), Act::Reset],
        ),
        gateway(
            "close-in-head",
            vec![say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n")],
        ),
        (
            "hints",
            vec![say(&hint.repeat(10_000)), say(OK)],
            Expected::Passed(200),
        ),
    ]
}

/// What comes is no HTTP.
fn garbage() -> Vec<Case> {
    [
        ("garbage", vec![say("this is no HTTP at all\r\n\r\n")]),
        ("tls", vec![Act::Send(vec![0x16, 3, 1, 0, 0xff, 1, 0, 0])]),
        ("no-status-line", vec![say("ok")]),
        ("no-name", headers(": x")),
        ("name-with-space", headers("X Y: x")),
        ("no-colon", headers("hello")),
        ("nul-in-value", headers("X-A: a\0b")),
        ("huge-header", headers(&format!("X-A: {}", "a".repeat(1 << 20)))),
        ("many-headers", headers(&vec!["X-A: b"; 100_000].join("\r\n"))),
        ("status-0", status("0 No")),
        ("status-099", status("099 No")),
        ("status-99", status("99 No")),
        ("status-600", status("600 No")),
        ("status-1000", status("1000 No")),
        ("status-text", status("OK 200")),
        (
            "switch",
            status("101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade"),
        ),
        ("two-lengths", headers("Content-Length: 3")),
        (
            "negative-length",
            vec![say("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok")],
        ),
    ]
    .map(|(name, acts)| (name, acts, BAD_GATEWAY))
    .to_vec()
}

/// What comes can be read in one way, and is passed on as that.
fn oddities() -> Vec<Case> {
    let both =
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let passed = |name, text: &str, status| (name, vec![say(text)], Expected::Passed(status));
    vec![
        passed("old", "HTTP/1.0 200 OK\r\n\r\nok", 200),
        passed("length-and-chunks", both, 200),
        passed("longer", &format!("{OK}ay"), 200),
        passed("two-answers", &format!("{OK}{OK}"), 200),
        passed(
            "bad-gzip",
            &OK.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n"),
            200,
        ),
        passed(
            "body-after-204",
            "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello",
            204,
        ),
        passed(
            "body-after-304",
            "HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nhello",
            304,
        ),
        passed(
            "redirect",
            "HTTP/1.1 307 Go\r\nLocation: /app/elsewhere\r\nContent-Length: 0\r\n\r\n",
            307,
        ),
    ]
}

/// The body does not come to its end.
fn broken_bodies() -> Vec<Case> {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    [
        ("short", vec![say(length)]),
        ("reset-in-body", vec![say(length), Act::Reset]),
        ("bad-chunk", vec![say(chunked), say("2\r\nok\r\nzz\r\n")]),
        ("no-last-chunk", vec![say(chunked), say("2\r\nok\r\n")]),
        (
            "huge-chunk",
            vec![say(chunked), say("fffffffffffffffff\r\nok\r\n")],
        ),
        ("chunk-without-end", vec![say(chunked), say("2\r\nok!!0\r\n\r\n")]),
    ]
    .map(|(name, acts)| (name, acts, Expected::Cut(200)))
    .to_vec()
}

async fn check(client: &Client, door: &str, (name, expected): (&str, Expected)) {
    let id = format!("hostile-{name}");
    let call = client
        .get(&format!("{door}/{name}"))
        .header("x-request-id", &id)
        .header("accept-encoding", "gzip");
    match (outcome_of(call).await, expected) {
        (Outcome::Whole(answer), Expected::Problem(status, code)) => {
            answer.problem(status, code);
            assert_eq!(answer.header("x-request-id"), Some(id.as_str()));
            assert_tells_nothing(&answer);
        }
        (Outcome::Whole(answer), Expected::Passed(status)) => {
            assert_eq!(answer.status, status, "{door} {name}: {answer:?}");
            assert_eq!(answer.header("x-request-id"), Some(id.as_str()));
            assert!(answer.body.len() <= 4, "{door} {name}: {answer:?}");
        }
        (Outcome::Cut(status), Expected::Cut(wanted)) => assert_eq!(status, wanted, "{door} {name}"),
        (outcome, _) => panic!("{door} {name}: expected {expected:?}, got {outcome:?}"),
    }
}

#[tokio::test]
async fn an_answer_that_is_broken_is_a_problem_or_visibly_cut_and_nobody_else_notices() {
    let upstream = Hostile::start().await;
    let edge = BareEdge::start(upstream.url(), upstream.url()).await;
    let client = edge.door().client();
    let mut cases = Vec::new();
    for door in ["/app", "/auth"] {
        for (name, acts, expected) in [silences(), garbage(), oddities(), broken_bodies()].concat() {
            upstream.answer(&format!("{door}/{name}"), acts);
            cases.push((door, name, expected));
        }
    }
    // All at the same time; and beside them, one that behaves.
    let bystander = async {
        for _ in 0..40 {
            client.get("/app/fine").send().await.expect(200);
        }
    };
    let hostile = stream::iter(cases).for_each_concurrent(16, |(door, name, expected)| {
        check(&client, door, (name, expected)).boxed()
    });
    tokio::join!(bystander, hostile);
    assert!(
        upstream.heads("/app/elsewhere").is_empty(),
        "a redirect was followed"
    );
    let log = edge.log();
    for reason in [
        "the upstream could not be reached",
        "the upstream sent no response headers in time",
    ] {
        assert!(log.contains(reason), "the log does not say that {reason}");
    }
}

#[tokio::test]
async fn an_upstream_where_nobody_listens_is_a_bad_gateway() {
    let dead = format!("http://127.0.0.1:{}", xtask::net::free_port().unwrap());
    let edge = BareEdge::start(&dead, &dead).await;
    let client = edge.door().client();
    for path in ["/app/x", "/auth/x"] {
        let answer = client.get(path).send().await;
        answer.problem(502, "bad_gateway");
        assert_tells_nothing(&answer);
    }
}
