//! Verification of the edge's signature at the origin (RFC 9421 §3.2).

use hmac::Mac as _;
use sfv::{BareItem, Dictionary, FieldType as _, InnerList, Item, ListEntry, Parser};

use super::base::{DERIVED, components, signature_base, values};
use super::{
    ALGORITHM, CLOCK_SKEW_SECONDS, LABEL, LIFETIME_SECONDS, Purpose, SIGNED_HEADERS, SignedRequest,
    SigningKey,
};

/// What a verified signature said about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureParameters {
    /// In whose name the request was signed.
    pub purpose: Purpose,
    /// The key that signed.
    pub keyid: String,
    /// When, in seconds since the epoch.
    pub created: i64,
    /// Until when, in seconds since the epoch.
    pub expires: i64,
    /// Unique to the request; whoever wants to refuse replays remembers it until `expires`.
    pub nonce: String,
}

/// Why a request signature was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestSignatureError {
    /// Not structured fields (RFC 9651) of the right shape.
    #[error("the signature headers are malformed")]
    Malformed,
    /// The one label is not `edge`, or there are several.
    #[error("the signature is not labelled edge")]
    Label,
    /// A parameter is missing, unknown or of the wrong type.
    #[error("the signature parameter {0} is missing or wrong")]
    Parameter(&'static str),
    /// A component is covered that the request or this profile does not have.
    #[error("the signature covers a component that is not there")]
    UnknownComponent,
    /// A component is named twice.
    #[error("the signature covers a component twice")]
    RepeatedComponent,
    /// A component that must be covered is not.
    #[error("the signature does not cover {0}")]
    MissingComponent(&'static str),
    /// A signed header occurs more than once, or holds a control character.
    #[error("the request has an ambiguous {0} header")]
    AmbiguousHeader(&'static str),
    /// `expires` has passed.
    #[error("the signature has expired")]
    Expired,
    /// `created` is in the future.
    #[error("the signature is not valid yet")]
    NotYetValid,
    /// It was made to live longer than 30 s, or not at all.
    #[error("the signature's lifetime is not 1 to 30 seconds")]
    Lifetime,
    /// No key of that name.
    #[error("the signing key is unknown")]
    UnknownKey,
    /// The MAC does not belong to this request and key.
    #[error("the signature does not match the request")]
    Mismatch,
}

/// Verifies the signature of `request`: `signature_input` and `signature` are the values of the two headers,
/// `now` is in seconds since the epoch. The MACs are compared in constant time.
pub fn verify(
    request: &SignedRequest<'_>,
    signature_input: &str,
    signature: &str,
    keys: &[SigningKey],
    now: i64,
) -> Result<SignatureParameters, RequestSignatureError> {
    let ListEntry::InnerList(input) = only_member(signature_input)? else {
        return Err(RequestSignatureError::Malformed);
    };
    let ListEntry::Item(Item {
        bare_item: BareItem::ByteSequence(mac),
        params,
    }) = only_member(signature)?
    else {
        return Err(RequestSignatureError::Malformed);
    };
    if !params.is_empty() {
        return Err(RequestSignatureError::Malformed);
    }
    let covered = read_components(&input)?;
    check_coverage(request, &covered)?;
    let parameters = read_parameters(&input)?;
    check_time(&parameters, now)?;
    let key = keys
        .iter()
        .find(|key| key.keyid == parameters.keyid)
        .ok_or(RequestSignatureError::UnknownKey)?;
    let canonical = vec![ListEntry::InnerList(input)]
        .serialize()
        .ok_or(RequestSignatureError::Malformed)?;
    key.mac(&signature_base(request, &covered, &canonical))
        .verify_slice(&mac)
        .map_err(|_| RequestSignatureError::Mismatch)?;
    Ok(parameters)
}

/// The value of the one member, `edge`, of a structured dictionary.
fn only_member(field: &str) -> Result<ListEntry, RequestSignatureError> {
    let mut members: Dictionary = Parser::new(field)
        .parse()
        .map_err(|_| RequestSignatureError::Malformed)?;
    match members.pop() {
        Some((label, value)) if members.is_empty() && label.as_str() == LABEL => Ok(value),
        Some(_) | None => Err(RequestSignatureError::Label),
    }
}

fn read_components(input: &InnerList) -> Result<Vec<&'static str>, RequestSignatureError> {
    let mut covered = Vec::with_capacity(input.items.len());
    for item in &input.items {
        let name = match (&item.bare_item, item.params.is_empty()) {
            (BareItem::String(name), true) => name.as_str(),
            _ => return Err(RequestSignatureError::UnknownComponent),
        };
        let known = DERIVED
            .into_iter()
            .chain(SIGNED_HEADERS)
            .find(|known| *known == name)
            .ok_or(RequestSignatureError::UnknownComponent)?;
        if covered.contains(&known) {
            return Err(RequestSignatureError::RepeatedComponent);
        }
        covered.push(known);
    }
    Ok(covered)
}

fn check_coverage(
    request: &SignedRequest<'_>,
    covered: &[&'static str],
) -> Result<(), RequestSignatureError> {
    let required = components(request);
    if let Some(missing) = required.iter().find(|name| !covered.contains(name)) {
        return Err(RequestSignatureError::MissingComponent(missing));
    }
    if covered.len() != required.len() {
        return Err(RequestSignatureError::UnknownComponent);
    }
    for name in SIGNED_HEADERS {
        // A reader that took the first of two values would believe something else than one that took the last.
        let mut all = values(request, name);
        let has_control = all
            .next()
            .is_some_and(|value| value.bytes().any(|b| b.is_ascii_control() && b != b'\t'));
        if has_control || all.next().is_some() {
            return Err(RequestSignatureError::AmbiguousHeader(name));
        }
    }
    Ok(())
}

fn read_parameters(input: &InnerList) -> Result<SignatureParameters, RequestSignatureError> {
    const NAMES: [&str; 6] = ["created", "expires", "nonce", "keyid", "alg", "tag"];
    if input.params.keys().any(|name| !NAMES.contains(&name.as_str())) {
        return Err(RequestSignatureError::Parameter("of an unknown name"));
    }
    let text = |name: &'static str| match input.params.get(name) {
        Some(BareItem::String(text)) if !text.as_str().is_empty() => Ok(text.as_str()),
        Some(_) | None => Err(RequestSignatureError::Parameter(name)),
    };
    let time = |name: &'static str| match input.params.get(name) {
        Some(BareItem::Integer(time)) => Ok(i64::from(*time)),
        Some(_) | None => Err(RequestSignatureError::Parameter(name)),
    };
    // The key decides the algorithm, so `alg` may be left out (RFC 9421 §3.2); it may not say otherwise.
    if input.params.contains_key("alg") && text("alg")? != ALGORITHM {
        return Err(RequestSignatureError::Parameter("alg"));
    }
    let tag = text("tag")?;
    let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.tag() == tag);
    Ok(SignatureParameters {
        purpose: purpose.ok_or(RequestSignatureError::Parameter("tag"))?,
        keyid: text("keyid")?.to_owned(),
        created: time("created")?,
        expires: time("expires")?,
        nonce: text("nonce")?.to_owned(),
    })
}

fn check_time(parameters: &SignatureParameters, now: i64) -> Result<(), RequestSignatureError> {
    let lifetime = parameters.expires.saturating_sub(parameters.created);
    if !(1..=LIFETIME_SECONDS).contains(&lifetime) {
        return Err(RequestSignatureError::Lifetime);
    }
    if parameters.created > now.saturating_add(CLOCK_SKEW_SECONDS) {
        return Err(RequestSignatureError::NotYetValid);
    }
    if now >= parameters.expires {
        return Err(RequestSignatureError::Expired);
    }
    Ok(())
}
