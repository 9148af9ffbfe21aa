//! Requests that nobody should be served for, and those who send them.

use std::time::{Duration, Instant};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::json;

use super::{SETTLED, outcome::Count};
use crate::bench::http::Client;

/// Clients with an IPv4 address, and as many with a network of IPv6 addresses each.
const CLIENTS: usize = 32;
/// Beyond what any server takes as one header.
const HUGE: usize = 96 * 1024;
/// The length of an RSA-3072 signature.
const SIGNATURE_BYTES: usize = 384;

const ODD_PATHS: [&str; 6] = [
    "/api//echo",
    "/api/%2e%2e/auth/me",
    "/api/echo%00",
    "/api/echo;admin=1",
    "/.git/config",
    "/API/Reports",
];

/// What a hostile request tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    NoToken,
    GarbageToken,
    UnknownKey,
    OneSubject,
    HugeHeader,
    OddPath,
    LoginGuess,
    MadeUpSession,
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::NoToken,
        Self::GarbageToken,
        Self::UnknownKey,
        Self::OneSubject,
        Self::HugeHeader,
        Self::OddPath,
        Self::LoginGuess,
        Self::MadeUpSession,
    ];

    /// Its name in the table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NoToken => "no token",
            Self::GarbageToken => "garbage for a token",
            Self::UnknownKey => "tokens under unknown keys",
            Self::OneSubject => "good tokens of one account",
            Self::HugeHeader => "huge headers",
            Self::OddPath => "odd paths",
            Self::LoginGuess => "guessed passwords",
            Self::MadeUpSession => "made-up session cookies",
        }
    }
}

/// A request, ready to be sent.
#[derive(Debug)]
struct Hostile {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
}

impl Hostile {
    fn get(path: &str, header: Option<(&'static str, String)>) -> Self {
        Self {
            method: "GET",
            path: path.to_owned(),
            headers: header.into_iter().collect(),
            body: None,
        }
    }

    /// The request number `serial`; `good` is a token that holds.
    fn of(kind: Kind, serial: usize, good: &str) -> Self {
        let bearer = |token: &str| Some(("Authorization", format!("Bearer {token}")));
        match kind {
            Kind::NoToken => Self::get("/api/echo", None),
            Kind::GarbageToken => Self::get("/api/echo", bearer(&format!("garbage.{serial}"))),
            Kind::UnknownKey => Self::get("/api/reports", bearer(&unknown_key(serial))),
            Kind::OneSubject => Self::get("/api/echo", bearer(good)),
            Kind::HugeHeader => Self::get("/api/echo", Some(("X-Huge", "h".repeat(HUGE)))),
            Kind::OddPath => Self::get(ODD_PATHS.get(serial % ODD_PATHS.len()).unwrap_or(&"/"), None),
            Kind::LoginGuess => Self {
                method: "POST",
                path: "/auth/login".to_owned(),
                headers: vec![("Content-Type", "application/json".to_owned())],
                body: Some(json!({"email": format!("victim-{}@bench.example", serial % 50), "password": format!("guess {serial}")}).to_string()),
            },
            Kind::MadeUpSession => Self::get(
                "/api/echo",
                Some(("Cookie", format!("__Host-pc_refresh=pcr_{serial:032x}.1.{serial:043x}"))),
            ),
        }
    }
}

/// A token of the right form, for which there is no key.
fn unknown_key(serial: usize) -> String {
    let part = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": format!("unknown-{serial}")}).to_string();
    let claims =
        json!({"iss": crate::stack::ISSUER, "aud": crate::stack::AUDIENCE, "sub": "nobody"}).to_string();
    let signature = vec![u8::try_from(serial % 251).unwrap_or_default(); SIGNATURE_BYTES];
    format!(
        "{}.{}.{}",
        part(header.as_bytes()),
        part(claims.as_bytes()),
        part(&signature)
    )
}

/// Where the request number `serial` comes from. Neighbours in an IPv6 network are one client.
fn address(serial: usize) -> String {
    let client = serial % (2 * CLIENTS);
    if client < CLIENTS {
        format!("203.0.113.{client}")
    } else {
        format!(
            "2001:db8:0:{:x}::{:x}",
            client - CLIENTS,
            serial / (2 * CLIENTS) + 1
        )
    }
}

/// Sends one request of a kind after another, numbered by `next`, until there are no more.
pub(super) fn lane(
    edge: u16,
    kind: Kind,
    good: &str,
    began: Instant,
    next: impl Fn() -> Option<usize>,
) -> Count {
    let mut count = Count::default();
    let mut client = None;
    while let Some(serial) = next() {
        let is_settled = began.elapsed() >= SETTLED;
        let status = client
            .take()
            .or_else(|| Client::connect(edge).ok())
            .and_then(|mut open| {
                let status = send(&mut open, kind, serial, good)?;
                client = Some(open);
                Some(status)
            });
        if status.is_none() {
            // A server that was hung up on may need a moment.
            std::thread::sleep(Duration::from_millis(1));
        }
        count.note(kind, is_settled, status.unwrap_or_default());
    }
    count
}

/// The status of the answer; `None` where the connection ended without one.
fn send(client: &mut Client, kind: Kind, serial: usize, good: &str) -> Option<u16> {
    let request = Hostile::of(kind, serial, good);
    let address = address(serial);
    let mut headers = vec![("CF-Connecting-IP", address.as_str())];
    headers.extend(
        request
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    let answer = client.send(request.method, &request.path, &headers, request.body.as_deref());
    answer.ok().map(|answer| answer.status)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, net::IpAddr};

    use super::*;

    #[test]
    fn requests_come_from_all_clients_and_neighbours_in_a_network_are_one() {
        let all = (0..4 * CLIENTS).map(|serial| address(serial).parse::<IpAddr>().unwrap());
        let (addresses, clients): (BTreeSet<String>, BTreeSet<String>) = all
            .map(|address| {
                let client = match address {
                    IpAddr::V4(address) => address.to_string(),
                    IpAddr::V6(address) => format!("{:?}", &address.segments()[..4]),
                };
                (address.to_string(), client)
            })
            .unzip();
        assert_eq!((addresses.len(), clients.len()), (3 * CLIENTS, 2 * CLIENTS));
    }

    #[test]
    fn a_token_under_an_unknown_key_has_the_form_of_a_good_one() {
        let token = unknown_key(7);
        assert_eq!(token.split('.').count(), 3);
        assert_ne!(token, unknown_key(8));
    }
}
