//! The signature on an answer of the feed: HTTP message signatures (RFC 9421) over a response, HMAC-SHA256 with
//! the key that the edge signed its request with, tag `portcullis-revocations`.
//!
//! Invariants: both ends build the signature base with the same function. A `200` is signed over its status, its
//! entity tag and the digest of its body (RFC 9530); a `304`, which has no body, over the first two. The parameter
//! `created` is the moment for which the answer is true.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use sfv::{BareItem, Dictionary, InnerList, Item, ListEntry, Parser};
use sha2::{Digest as _, Sha256};

use crate::request_signature::{CLOCK_SKEW_SECONDS, SigningKey};

const LABEL: &str = "origin";
const TAG: &str = "portcullis-revocations";
const ALGORITHM: &str = "hmac-sha256";
const DIGEST_ALGORITHM: &str = "sha-256";

/// What an answer says about the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// `200`: this body.
    Feed(&'a [u8]),
    /// `304`: nothing has changed since the state that the entity tag names.
    Unchanged,
}

impl Content<'_> {
    const fn status(self) -> u16 {
        match self {
            Self::Feed(_) => 200,
            Self::Unchanged => 304,
        }
    }

    fn digest(self) -> Option<String> {
        match self {
            Self::Feed(body) => {
                let digest = STANDARD.encode(Sha256::digest(body));
                Some(format!("{DIGEST_ALGORITHM}=:{digest}:"))
            }
            Self::Unchanged => None,
        }
    }
}

/// The headers that a signature adds to an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerSignature {
    /// `Content-Digest`, of a `200` only.
    pub content_digest: Option<String>,
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

/// The headers of an answer that [`verify`] looks at, as they came.
#[derive(Clone, Copy, Debug)]
pub struct SignedAnswer<'a> {
    /// What it says.
    pub content: Content<'a>,
    /// `ETag`.
    pub etag: &'a str,
    /// `Content-Digest`, where there is one.
    pub content_digest: Option<&'a str>,
    /// `Signature-Input`.
    pub signature_input: &'a str,
    /// `Signature`.
    pub signature: &'a str,
}

/// Why an answer is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerSignatureError {
    /// The headers do not have the one form of this profile.
    #[error("the signature headers are malformed")]
    Malformed,
    /// Another key than ours.
    #[error("the signing key is unknown")]
    UnknownKey,
    /// `Content-Digest` is not that of the body.
    #[error("the digest is not that of the body")]
    Digest,
    /// The MAC does not belong to this answer and key.
    #[error("the signature does not match the answer")]
    Mismatch,
    /// `created` is in the future by more than clocks may differ.
    #[error("the answer comes from the future")]
    NotYetValid,
}

/// Signs an answer that is true at `created`, in seconds since the epoch. `etag` is visible ASCII.
#[must_use]
pub fn sign(content: Content<'_>, etag: &str, key: &SigningKey, created: i64) -> AnswerSignature {
    let content_digest = content.digest();
    let parameters = parameters(content, &key.keyid, created);
    let base = signature_base(content, etag, content_digest.as_deref(), &parameters);
    let mac = STANDARD.encode(key.mac(&base).finalize().into_bytes());
    AnswerSignature {
        content_digest,
        signature_input: format!("{LABEL}={parameters}"),
        signature: format!("{LABEL}=:{mac}:"),
    }
}

/// Verifies an answer at `now`, and says for which moment it is true, both in seconds since the epoch. How old that
/// may be is for the caller to say; it may not lie ahead by more than [`CLOCK_SKEW_SECONDS`].
pub fn verify(answer: &SignedAnswer<'_>, key: &SigningKey, now: i64) -> Result<i64, AnswerSignatureError> {
    let ListEntry::InnerList(input) = only_member(answer.signature_input)? else {
        return Err(AnswerSignatureError::Malformed);
    };
    let ListEntry::Item(Item {
        bare_item: BareItem::ByteSequence(mac),
        ..
    }) = only_member(answer.signature)?
    else {
        return Err(AnswerSignatureError::Malformed);
    };
    let created = created(&input)?;
    if keyid(&input)? != key.keyid {
        return Err(AnswerSignatureError::UnknownKey);
    }
    // The profile has one form, so that what was sent must be what we would have sent.
    let parameters = parameters(answer.content, &key.keyid, created);
    if answer
        .signature_input
        .strip_prefix(LABEL)
        .and_then(|rest| rest.strip_prefix('='))
        != Some(&parameters)
    {
        return Err(AnswerSignatureError::Malformed);
    }
    let digest = answer.content.digest();
    if answer.content_digest != digest.as_deref() {
        return Err(AnswerSignatureError::Digest);
    }
    key.mac(&signature_base(
        answer.content,
        answer.etag,
        digest.as_deref(),
        &parameters,
    ))
    .verify_slice(&mac)
    .map_err(|_| AnswerSignatureError::Mismatch)?;
    if created > now.saturating_add(CLOCK_SKEW_SECONDS) {
        return Err(AnswerSignatureError::NotYetValid);
    }
    Ok(created)
}

fn parameters(content: Content<'_>, keyid: &str, created: i64) -> String {
    let covered = match content {
        Content::Feed(_) => r#"("@status" "etag" "content-digest")"#,
        Content::Unchanged => r#"("@status" "etag")"#,
    };
    format!("{covered};created={created};keyid=\"{keyid}\";alg=\"{ALGORITHM}\";tag=\"{TAG}\"")
}

/// RFC 9421 §2.5.
fn signature_base(content: Content<'_>, etag: &str, digest: Option<&str>, parameters: &str) -> String {
    let status = content.status();
    let mut base = format!("\"@status\": {status}\n\"etag\": {etag}\n");
    if let Some(digest) = digest {
        base.push_str("\"content-digest\": ");
        base.push_str(digest);
        base.push('\n');
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(parameters);
    base
}

fn only_member(field: &str) -> Result<ListEntry, AnswerSignatureError> {
    let mut members: Dictionary = Parser::new(field)
        .parse()
        .map_err(|_| AnswerSignatureError::Malformed)?;
    match members.pop() {
        Some((label, value)) if members.is_empty() && label.as_str() == LABEL => Ok(value),
        Some(_) | None => Err(AnswerSignatureError::Malformed),
    }
}

fn created(input: &InnerList) -> Result<i64, AnswerSignatureError> {
    match input.params.get("created") {
        Some(BareItem::Integer(created)) => Ok(i64::from(*created)),
        Some(_) | None => Err(AnswerSignatureError::Malformed),
    }
}

fn keyid(input: &InnerList) -> Result<&str, AnswerSignatureError> {
    match input.params.get("keyid") {
        Some(BareItem::String(keyid)) => Ok(keyid.as_str()),
        Some(_) | None => Err(AnswerSignatureError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_700_000_000;
    const ETAG: &str = "\"1.7.3\"";

    fn key(id: &str, byte: u8) -> SigningKey {
        SigningKey::new(id, &[byte; 32]).unwrap()
    }

    fn answer<'a>(content: Content<'a>, etag: &'a str, signature: &'a AnswerSignature) -> SignedAnswer<'a> {
        SignedAnswer {
            content,
            etag,
            content_digest: signature.content_digest.as_deref(),
            signature_input: &signature.signature_input,
            signature: &signature.signature,
        }
    }

    #[test]
    fn an_answer_is_believed_for_the_moment_it_was_signed_for() {
        for content in [Content::Feed(b"{}"), Content::Unchanged] {
            let signature = sign(content, ETAG, &key("a", 1), NOW);
            let signed = answer(content, ETAG, &signature);
            assert_eq!(verify(&signed, &key("a", 1), NOW + 1000), Ok(NOW));
        }
    }

    #[test]
    fn the_signature_has_the_form_of_the_rfc() {
        let signature = sign(Content::Feed(b"{}"), ETAG, &key("a", 1), NOW);
        assert_eq!(
            signature.signature_input,
            "origin=(\"@status\" \"etag\" \"content-digest\");created=1700000000;keyid=\"a\";alg=\"hmac-sha256\";tag=\"portcullis-revocations\""
        );
        assert_eq!(
            signature.content_digest.unwrap(),
            "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:"
        );
    }

    #[test]
    fn whatever_is_covered_cannot_be_changed() {
        let signature = sign(Content::Feed(b"{}"), ETAG, &key("a", 1), NOW);
        let good = answer(Content::Feed(b"{}"), ETAG, &signature);
        let refused = |answer: SignedAnswer<'_>| verify(&answer, &key("a", 1), NOW).unwrap_err();
        let body = Content::Feed(b"{ }");
        assert_eq!(
            refused(SignedAnswer {
                content: body,
                ..good
            }),
            AnswerSignatureError::Digest
        );
        let etag = "\"1.8.3\"";
        assert_eq!(
            refused(SignedAnswer { etag, ..good }),
            AnswerSignatureError::Mismatch
        );
        let later = signature.signature_input.replace("1700000000", "1700000001");
        let signature_input = later.as_str();
        assert_eq!(
            refused(SignedAnswer {
                signature_input,
                ..good
            }),
            AnswerSignatureError::Mismatch
        );
        let (content, content_digest) = (Content::Unchanged, None);
        assert_eq!(
            refused(SignedAnswer {
                content,
                content_digest,
                ..good
            }),
            AnswerSignatureError::Malformed
        );
    }

    #[test]
    fn another_key_and_another_form_are_refused() {
        let signature = sign(Content::Unchanged, ETAG, &key("a", 1), NOW);
        let signed = answer(Content::Unchanged, ETAG, &signature);
        assert_eq!(
            verify(&signed, &key("b", 1), NOW),
            Err(AnswerSignatureError::UnknownKey)
        );
        assert_eq!(
            verify(&signed, &key("a", 2), NOW),
            Err(AnswerSignatureError::Mismatch)
        );
        for input in [
            "",
            "origin",
            "origin=1",
            "edge=(\"@status\" \"etag\");created=1;keyid=\"a\"",
            "origin=(\"etag\");created=1700000000;keyid=\"a\";alg=\"hmac-sha256\";tag=\"portcullis-revocations\"",
            "origin=(\"@status\" \"etag\");created=1700000000;keyid=\"a\";alg=\"hmac-sha256\";tag=\"portcullis-edge\"",
        ] {
            let signed = SignedAnswer {
                signature_input: input,
                ..signed
            };
            assert_eq!(
                verify(&signed, &key("a", 1), NOW),
                Err(AnswerSignatureError::Malformed),
                "{input}"
            );
        }
    }

    #[test]
    fn an_answer_from_beyond_the_skew_of_clocks_is_refused() {
        let signature = sign(Content::Unchanged, ETAG, &key("a", 1), NOW);
        let signed = answer(Content::Unchanged, ETAG, &signature);
        assert_eq!(verify(&signed, &key("a", 1), NOW - 5), Ok(NOW));
        assert_eq!(
            verify(&signed, &key("a", 1), NOW - 6),
            Err(AnswerSignatureError::NotYetValid)
        );
    }

    proptest! {
        #[test]
        fn no_header_panics_or_is_believed(input in any::<String>(), signature in any::<String>(), body in any::<Vec<u8>>()) {
            let signed = SignedAnswer {
                content: Content::Feed(&body),
                etag: &input,
                content_digest: Some(&signature),
                signature_input: &input,
                signature: &signature,
            };
            prop_assert!(verify(&signed, &key("a", 1), NOW).is_err());
        }
    }
}
