//! The signature base (RFC 9421 §2.5), which both ends must build byte for byte alike.

use super::{SIGNED_HEADERS, SignedRequest};

/// The components every signature covers (RFC 9421 §2.2).
pub(super) const DERIVED: [&str; 4] = ["@method", "@authority", "@path", "@query"];

/// The components a signature over `request` covers, in our order.
pub(super) fn components(request: &SignedRequest<'_>) -> Vec<&'static str> {
    let present = |name: &&'static str| values(request, name).next().is_some();
    DERIVED
        .into_iter()
        .chain(SIGNED_HEADERS.into_iter().filter(present))
        .collect()
}

/// All values of the header `name`.
pub(super) fn values<'a>(request: &SignedRequest<'a>, name: &str) -> impl Iterator<Item = &'a str> {
    request
        .headers
        .iter()
        .filter(move |(own, _)| *own == name)
        .map(|(_, value)| *value)
}

pub(super) fn quoted(components: &[&str]) -> String {
    let mut text = String::with_capacity(components.len() * 20);
    for name in components {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push('"');
        text.push_str(name);
        text.push('"');
    }
    text
}

/// One line for each component, then `parameters` as `Signature-Input` has them.
pub(super) fn signature_base(request: &SignedRequest<'_>, components: &[&str], parameters: &str) -> String {
    let mut base = String::with_capacity(2048);
    for name in components {
        base.push('"');
        base.push_str(name);
        base.push_str("\": ");
        push_value(&mut base, request, name);
        base.push('\n');
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(parameters);
    base
}

fn push_value(base: &mut String, request: &SignedRequest<'_>, component: &str) {
    match component {
        "@method" => base.push_str(request.method),
        "@authority" => base.extend(request.authority.chars().map(|c| c.to_ascii_lowercase())),
        "@path" if request.path.is_empty() => base.push('/'),
        "@path" => base.push_str(request.path),
        "@query" => {
            base.push('?');
            base.push_str(request.query.unwrap_or_default());
        }
        header => {
            // RFC 9421 §2.1: each value without the white space around it, several joined by a comma.
            for (index, value) in values(request, header).enumerate() {
                if index > 0 {
                    base.push_str(", ");
                }
                base.push_str(value.trim_matches([' ', '\t']));
            }
        }
    }
}
