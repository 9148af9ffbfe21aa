//! A URL and the names of headers, as strangers could spell them. The lines of an input: what follows the host in the URL,
//! the names parted by commas, the value of `Connection`.

use portcullis_edge::hygiene;
use portcullis_edge::path::Target;

/// A path that is accepted has one reading, and no header that only the edge may set comes through.
pub fn check(data: &[u8]) {
    let Some(mut next) = crate::lines(data) else {
        return;
    };
    let url = next();
    check_target(url);
    check_target(&format!("https://edge.example/{url}"));
    check_headers(next(), next());
}

fn check_target(url: &str) {
    let Ok(target) = Target::of_url(url) else {
        return;
    };
    let path = target.path();
    assert!(path.starts_with('/') && path.is_ascii(), "{path:?}");
    let again = format!("https://edge.example{path}");
    assert_eq!(
        Target::of_url(&again).expect("it was accepted before").path(),
        path
    );
    assert!(target.query().is_none_or(|query| !query.contains('#')), "{url:?}");
    check_segments(path);
    for reading in target.lenient_readings() {
        check_segments(&reading);
    }
}

fn check_segments(path: &str) {
    assert!(!path.contains('\\') && !path.contains("//"), "{path:?}");
    for segment in path.split('/') {
        let name = segment.split(';').next().unwrap_or_default();
        assert!(name != "." && name != "..", "{path:?}");
        assert!(
            !segment.bytes().any(|byte| byte < 0x20 || byte == 0x7f),
            "{path:?}"
        );
    }
}

fn check_headers(names: &str, connection: &str) {
    let plan = hygiene::plan(names, |name| match name {
        "connection" => Some(connection.to_owned()),
        _ => Some("websocket".to_owned()),
    });
    // No header has another name than of these characters (RFC 9110 §5.6.2).
    if !names.bytes().all(|byte| byte.is_ascii_graphic()) {
        return;
    }
    let all: Vec<&str> = names.split(',').collect();
    assert!(plan.remove.iter().all(|name| all.contains(name)));
    let kept: Vec<&str> = all
        .into_iter()
        .filter(|name| !plan.remove.contains(name))
        .collect();
    for name in &kept {
        assert!(!is_edge_only(name), "{name:?} came through");
    }
    let again = hygiene::plan(&kept.join(","), |_| Some("websocket".to_owned()))
        .remove
        .len();
    assert_eq!(again, 0, "{kept:?}");
}

/// Whether a server that hands headers on as variables would take it for one that only the edge may set.
fn is_edge_only(name: &str) -> bool {
    let folded: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let folded = folded.trim_start_matches('-');
    let is_under = |prefix: &str| {
        folded
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    is_under("x-auth")
        || is_under("x-forwarded")
        || is_under("forwarded")
        || [
            "signature",
            "signature-input",
            "x-request-id",
            "x-real-ip",
            "true-client-ip",
        ]
        .contains(&folded)
}
