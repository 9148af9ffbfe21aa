//! The version of a profile as an entity tag: `"7"`.

use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, HeaderValue};

use crate::accounts::Versions;

/// The tag of a version.
pub(super) fn of(version: i64) -> HeaderValue {
    // Digits in quotes are always a header value.
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// What `If-Match` allows a change to be made to (RFC 9110 §13.1.1), by strong comparison: a weak tag matches nothing, and neither
/// does one that is not ours. `None`: the request has no such header.
pub(super) fn wanted(headers: &HeaderMap) -> Option<Versions> {
    let lines = headers.get_all(IF_MATCH);
    lines.iter().next()?;
    let entries = lines
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim);
    let mut versions = Vec::new();
    for entry in entries {
        if entry == "*" {
            return Some(Versions::Any);
        }
        let inner = entry.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        versions.extend(inner.and_then(|digits| digits.parse::<i64>().ok()));
    }
    Some(Versions::These(versions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_lines(lines: &[&'static str]) -> Option<Versions> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IF_MATCH, HeaderValue::from_static(line));
        }
        wanted(&headers)
    }

    #[test]
    fn tags_are_read_from_every_line_and_weak_ones_match_nothing() {
        let these = |versions: &[i64]| Some(Versions::These(versions.to_vec()));
        assert_eq!(of_lines(&[]), None);
        assert_eq!(of_lines(&["\"7\""]), these(&[7]));
        assert_eq!(of_lines(&["\"7\", \"8\"", "\"9\""]), these(&[7, 8, 9]));
        assert_eq!(of_lines(&["*"]), Some(Versions::Any));
        for none in ["W/\"7\"", "7", "\"seven\"", "", "\"7", "\"99999999999999999999\""] {
            assert_eq!(of_lines(&[none]), these(&[]), "{none}");
        }
    }

    #[test]
    fn a_version_comes_back_from_its_tag() {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, of(42));
        assert_eq!(wanted(&headers), Some(Versions::These(vec![42])));
    }
}
