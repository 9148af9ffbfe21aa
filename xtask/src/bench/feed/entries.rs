//! A revocation feed as the bench's own origin publishes it.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Context, Result};
use base64ct::{Base64, Encoding as _};
use portcullis_shared::{
    request_signature::SigningKey,
    revocation::{
        Feed,
        signature::{AnswerSignature, Content, sign},
    },
};
use uuid::Uuid;

use super::{SESSIONS_OF_TEN, now};

/// The name of the key that the bench's origin and its edge share.
pub(in crate::bench) const KEY_ID: &str = "bench";
/// It signs nothing but the requests and the feed of a benchmark.
const SECRET: &[u8] = b"portcullis bench signing key 2026";

const EPOCH: u64 = 1;
const KEY_SET_VERSION: u64 = 0;
/// The life of an access token, and a minute for clocks.
const LIFETIME_SECONDS: u32 = 960;
/// Sessions of nobody, none of which the pool of tokens has.
const FIRST_SESSION: u128 = 0x0198_0000_0003_7000_9000_0000_0000_0000;
const FIRST_SUBJECT: u128 = 0x0198_0000_0001_7000_9000_0000_0000_0000;

/// The entries of a feed that does not change.
pub(in crate::bench) struct Entries {
    key: SigningKey,
    snapshot: Feed,
    /// The snapshot as JSON, from after `as_of` on: only that changes.
    rest: String,
}

impl Entries {
    /// `count` entries, among them those about `sessions`.
    pub(in crate::bench) fn new(count: usize, sessions: &[Uuid]) -> Result<Self> {
        let about_sessions = count * SESSIONS_OF_TEN / 10;
        let others = (0..).map(|serial| Uuid::from_u128(FIRST_SESSION + serial));
        let snapshot = Feed {
            as_of: 0,
            epoch: EPOCH,
            seq: u64::try_from(count)?,
            since: None,
            lifetime: LIFETIME_SECONDS,
            key_set_version: KEY_SET_VERSION,
            sessions: sessions
                .iter()
                .copied()
                .chain(others)
                .take(about_sessions.max(sessions.len()))
                .collect(),
            subjects: (0..)
                .map(|serial| (Uuid::from_u128(FIRST_SUBJECT + serial), now()))
                .take(count - about_sessions)
                .collect(),
        };
        let json = serde_json::to_string(&snapshot)?;
        let rest = json
            .strip_prefix(r#"{"as_of":0"#)
            .context("a feed does not begin with its moment")?;
        Ok(Self {
            key: SigningKey::new(KEY_ID, SECRET)?,
            rest: rest.to_owned(),
            snapshot,
        })
    }

    /// The answer to a request with this head: nothing new where its entity tag is ours, nothing more where its
    /// cursor is, and all of it otherwise.
    pub(in crate::bench) fn answer(&self, head: &str) -> Vec<u8> {
        let now = now();
        let etag = self.snapshot.etag();
        let line = head.lines().next().unwrap_or_default();
        if head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .any(|(name, value)| name.eq_ignore_ascii_case("if-none-match") && value.trim() == etag)
        {
            let signature = sign(Content::Unchanged, &etag, &self.key, now);
            return render("304 Not Modified", &etag, &signature, None);
        }
        let body = if line.contains(&format!("cursor={} ", self.snapshot.cursor())) {
            self.nothing_more(now)
        } else {
            format!(r#"{{"as_of":{now}{}"#, self.rest)
        };
        let signature = sign(Content::Feed(body.as_bytes()), &etag, &self.key, now);
        render("200 OK", &etag, &signature, Some(&body))
    }

    fn nothing_more(&self, now: i64) -> String {
        let delta = Feed {
            as_of: now,
            since: Some(self.snapshot.seq),
            sessions: Vec::new(),
            subjects: BTreeMap::new(),
            ..self.snapshot.clone()
        };
        // A map with text for keys and numbers for values is always JSON.
        serde_json::to_string(&delta).unwrap_or_default()
    }
}

fn render(status: &str, etag: &str, signature: &AnswerSignature, body: Option<&str>) -> Vec<u8> {
    let AnswerSignature {
        content_digest,
        signature_input,
        signature,
    } = signature;
    let mut head = format!(
        "HTTP/1.1 {status}\r\nETag: {etag}\r\nSignature-Input: {signature_input}\r\nSignature: {signature}\r\n"
    );
    // Writing to a String does not fail.
    if let Some(digest) = content_digest {
        let _ = write!(head, "Content-Digest: {digest}\r\n");
    }
    if let Some(body) = body {
        let _ = write!(
            head,
            "Content-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: {}\r\n",
            body.len()
        );
    }
    head.push_str("\r\n");
    head.push_str(body.unwrap_or_default());
    head.into_bytes()
}

/// The signing keys of the bench's edge, as it reads them.
pub(in crate::bench) fn signing_keys() -> String {
    serde_json::json!({ KEY_ID: Base64::encode_string(SECRET) }).to_string()
}

#[cfg(test)]
mod tests {
    use portcullis_shared::revocation::signature::{SignedAnswer, verify};

    use super::*;

    /// What an edge reads in an answer: its content if there is any, once the signature is verified.
    fn read(answer: &[u8]) -> Option<Feed> {
        let text = String::from_utf8_lossy(answer);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let header = |wanted: &str| {
            head.lines()
                .filter_map(|line| line.split_once(": "))
                .find_map(|(name, value)| (name == wanted).then_some(value))
        };
        let content = if head.starts_with("HTTP/1.1 304") {
            Content::Unchanged
        } else {
            Content::Feed(body.as_bytes())
        };
        let signed = SignedAnswer {
            content,
            etag: header("ETag").unwrap(),
            content_digest: header("Content-Digest"),
            signature_input: header("Signature-Input").unwrap(),
            signature: header("Signature").unwrap(),
        };
        let key = SigningKey::new(KEY_ID, SECRET).unwrap();
        verify(&signed, &key, now()).unwrap();
        Feed::parse(body.as_bytes())
    }

    #[test]
    fn a_snapshot_holds_every_entry_and_the_sessions_asked_for() {
        let wanted = Uuid::from_u128(7);
        let entries = Entries::new(100, &[wanted]).unwrap();
        let feed = read(&entries.answer("GET /edge/revocations HTTP/1.1\r\n")).unwrap();
        assert_eq!(
            (feed.sessions.len(), feed.subjects.len(), feed.since),
            (90, 10, None)
        );
        assert!(feed.sessions.contains(&wanted));
        assert!((now() - feed.as_of).abs() <= 1);
    }

    #[test]
    fn who_is_up_to_date_gets_no_entries() {
        let entries = Entries::new(10, &[]).unwrap();
        let delta = read(&entries.answer("GET /edge/revocations?cursor=1.10 HTTP/1.1\r\n")).unwrap();
        assert_eq!(
            (delta.since, delta.sessions.len(), delta.subjects.len()),
            (Some(10), 0, 0)
        );
        let unchanged = "GET /edge/revocations?cursor=1.10 HTTP/1.1\r\nIf-None-Match: \"1.10.0\"\r\n";
        assert_eq!(read(&entries.answer(unchanged)), None);
    }
}
