//! What the edge decided on is what the upstream receives, byte for byte, and means the same to whoever reads it.
//!
//! Each target goes over the wire to a real Worker without any credential, and what comes out is read by an upstream that
//! keeps the bytes of the request line. Nothing may come out that some program would read as more than public.

mod readers;
mod spellings;

use futures_util::StreamExt as _;
use futures_util::stream;
use portcullis_shared::request_signature::{SignedRequest, SigningKey, verify};
use portcullis_tests::answer::Answer;
use portcullis_tests::client::Client;
use portcullis_tests::now;
use portcullis_tests::own_stack::{OwnStack, Wanted};
use portcullis_tests::raw::{exchange, head};
use portcullis_tests::upstream::OddUpstream;
use xtask::stack::Upstream;

use crate::edge_signature::edge_key_of;
use readers::{READERS, by_the_url_standard, resolved, route_by_axum};
use spellings::{Fate, KNOWN, made_up};

/// How many targets are made up.
const MADE_UP: usize = 400;
/// How many requests are under way at a time.
const AT_ONCE: usize = 8;
/// How many requests one client makes; limits are far above.
const PER_CLIENT: usize = 20;

/// A request that was sent, and what was answered.
struct Sent {
    number: usize,
    target: Vec<u8>,
    fate: Fate,
    answer: Option<Answer>,
}

impl Sent {
    fn name(&self) -> String {
        format!("{} {}", self.number, self.target.escape_ascii())
    }

    fn has_passed(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.status == 200)
    }
}

/// A system whose applications are one upstream that answers 200 and keeps what it was sent.
async fn system(upstream: &OddUpstream, name: &str) -> OwnStack {
    let wanted = Wanted {
        upstream: Upstream::Given(upstream.url().to_owned()),
        ..Wanted::all()
    };
    wanted.start(name).await
}

/// Sends `line` and `lines` as they are, marked by a number.
async fn send(client: &Client, number: usize, line: &[u8], lines: &str) -> Option<Answer> {
    let mut request = head(client, line);
    request.extend(format!("X-Case: {number}\r\n{lines}\r\n").bytes());
    exchange(client, &request).await
}

/// The head of the request that the upstream has received under this number.
fn received(heads: &[String], number: usize) -> Option<&str> {
    let mark = format!("x-case: {number}\r\n");
    let mut found = heads
        .iter()
        .filter(|head| head.to_ascii_lowercase().contains(&mark));
    let head = found.next()?;
    assert!(found.next().is_none(), "request {number} came twice");
    Some(head)
}

#[tokio::test]
async fn what_was_decided_on_is_what_the_upstream_receives_whatever_the_spelling() {
    let upstream = OddUpstream::start().await;
    let stack = system(&upstream, "canonical").await;
    let known = KNOWN.iter().map(|(target, fate)| (target.to_vec(), *fate));
    let long = [(2_000, Fate::AsSent), (200_000, Fate::Refused)]
        .map(|(length, fate)| (format!("/api/public/{}", "a".repeat(length)).into_bytes(), fate));
    let made_up = made_up(MADE_UP).into_iter().map(|target| (target, Fate::Any));
    let cases: Vec<_> = known.chain(long).chain(made_up).enumerate().collect();
    let clients: Vec<Client> = (0..=cases.len() / PER_CLIENT)
        .map(|_| stack.edge().client())
        .collect();
    let sent: Vec<Sent> = stream::iter(cases)
        .map(async |(number, (target, fate))| {
            let line = [b"GET ", target.as_slice()].concat();
            let answer = send(&clients[number / PER_CLIENT], number, &line, "").await;
            Sent {
                number,
                target,
                fate,
                answer,
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;

    let heads = upstream.heads();
    let (keyid, secret) = edge_key_of(stack.state_dir());
    let keys = [SigningKey::new(keyid, &secret).unwrap()];
    let (mut passed, mut wrong) = (0, Vec::new());
    for sent in &sent {
        let head = received(&heads, sent.number);
        passed += usize::from(head.is_some());
        let outcome = match head {
            Some(head) => judge_passed(sent, head, &keys).await,
            None => judge_refused(sent),
        };
        wrong.extend(outcome.err().map(|what| format!("{}: {what}", sent.name())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The test would say nothing if nothing passed, or everything.
    assert!(
        (60..sent.len() - 100).contains(&passed),
        "{passed} of {} passed",
        sent.len()
    );
    assert_no_other_method_passes(&stack, &upstream, sent.len()).await;
}

/// What is no method of the edge's, or another one in small letters, does not get to the upstream.
async fn assert_no_other_method_passes(stack: &OwnStack, upstream: &OddUpstream, first: usize) {
    let lines = [
        "TRACE /api/public/x",
        "TRACK /api/public/x",
        "CONNECT /api/public/x",
        "CONNECT upstream.example:443",
        "get /api/public/x",
        "Post /api/public/x",
        "BREW /api/public/x",
        "PROPFIND /api/public/x",
        "GET_ /api/public/x",
    ];
    for (number, line) in lines.into_iter().enumerate() {
        let answer = send(&stack.edge().client(), first + number, line.as_bytes(), "").await;
        assert!(answer.as_ref().is_none_or(says_no), "{line}: {answer:?}");
        assert_eq!(received(&upstream.heads(), first + number), None, "{line}");
    }
}

/// What did not reach the upstream was to be refused, and was.
fn judge_refused(sent: &Sent) -> Result<(), String> {
    let answer = &sent.answer;
    ensure(matches!(sent.fate, Fate::Refused | Fate::Any), || {
        format!("was to pass: {answer:?}")
    })?;
    // None: the platform has hung up.
    let Some(answer) = answer else { return Ok(()) };
    ensure(says_no(answer), || format!("{answer:?}"))
}

/// Whether it is a refusal: of the edge, or of the platform, which refuses in its own ways.
fn says_no(answer: &Answer) -> bool {
    let expected: &[u16] = if answer.header("x-request-id").is_some() {
        // 401: it was the path of a route that asks who is there.
        &[400, 401, 404, 405]
    } else {
        &[400, 404, 405, 414, 431, 500, 501]
    };
    expected.contains(&answer.status.as_u16())
}

/// What reached the upstream was to, is what the edge has signed, and means one thing.
async fn judge_passed(sent: &Sent, head: &str, keys: &[SigningKey]) -> Result<(), String> {
    let target = head.split(' ').nth(1).ok_or("no target")?;
    let is_meant = match sent.fate {
        Fate::AsSent => target.as_bytes() == sent.target,
        Fate::Resolved(resolved) => target == resolved,
        Fate::Refused => false,
        Fate::Any => true,
    };
    ensure(is_meant, || format!("was to be {:?}: {target}", sent.fate))?;
    ensure(sent.has_passed(), || format!("{:?}", sent.answer))?;
    is_signed(head, target, keys)?;
    means_one_thing(sent, target).await
}

/// The signature holds for the very bytes of the request line, with nothing decoded on the way.
fn is_signed(head: &str, target: &str, keys: &[SigningKey]) -> Result<(), String> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers: Vec<(String, &str)> = lines
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let header = |name: &str| {
        let mut values = headers.iter().filter(|(own, _)| *own == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Ok(*value),
            _ => Err(format!("not one {name}: {head}")),
        }
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let request = SignedRequest {
        method: "GET",
        authority: header("host")?,
        path,
        query,
        headers: &headers,
    };
    let (input, signature) = (header("signature-input")?, header("signature")?);
    let verified = verify(&request, input, signature, keys, now());
    verified.map(drop).map_err(|error| format!("{error}: {head}"))
}

/// Whoever reads the target finds that it is public, and nobody that it is anything else.
async fn means_one_thing(sent: &Sent, target: &str) -> Result<(), String> {
    ensure(target.is_ascii(), || format!("is no ASCII: {target}"))?;
    let by_standard = by_the_url_standard(&sent.target);
    ensure(
        target.as_bytes() == sent.target || by_standard.as_deref() == Some(target),
        || format!("neither what was sent nor, by the URL standard, {by_standard:?}: {target}"),
    )?;
    let again = by_the_url_standard(target.as_bytes());
    ensure(again.as_deref() == Some(target), || {
        format!("{target} is {again:?} by the URL standard")
    })?;
    let route = route_by_axum(target).await;
    ensure(route.starts_with("/api/public/"), || {
        format!("axum takes {target} to {route}")
    })?;
    let path = target.split('?').next().unwrap_or_default();
    for (reader, read) in READERS {
        let resolved = resolved(&read(path)).to_lowercase();
        ensure(format!("{resolved}/").starts_with("/api/public/"), || {
            format!("{path}, {reader}, is {resolved}")
        })?;
    }
    Ok(())
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
