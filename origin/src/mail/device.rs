//! What a `User-Agent` says of a device, in words that its owner knows it by.

/// Which browsers are told apart; the first whose mark is found. Each also carries the marks of those below it.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// Which systems are told apart, in the same way.
const SYSTEMS: [(&str, &str); 6] = [
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// `Firefox on Linux`, or less where less is known. Only words of this file come out, never what the client wrote:
/// whoever presents a stolen token also chooses its `User-Agent`, and must not write to its owner in our name.
#[must_use]
pub fn describe(user_agent: &str) -> Option<String> {
    let first_of = |marks: &[(&str, &'static str)]| {
        let found = marks.iter().find(|(mark, _)| user_agent.contains(mark))?;
        Some(found.1)
    };
    match (first_of(&BROWSERS), first_of(&SYSTEMS)) {
        (Some(browser), Some(system)) => Some(format!("{browser} on {system}")),
        (Some(known), None) | (None, Some(known)) => Some(known.to_owned()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_called_what_their_owners_call_them() {
        for (user_agent, words) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 \
                 Safari/537.36 Edg/142.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.6 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("okhttp/4.12.0 (Android 15)", "Android"),
        ] {
            assert_eq!(describe(user_agent).as_deref(), Some(words));
        }
    }

    #[test]
    fn nothing_that_a_client_wrote_is_repeated() {
        for user_agent in ["", "curl/8.5.0", "Call +1 555 0100, your account is in danger"] {
            assert_eq!(describe(user_agent), None);
        }
        assert_eq!(describe("Firefox/1 evil.example").as_deref(), Some("Firefox"));
    }
}
