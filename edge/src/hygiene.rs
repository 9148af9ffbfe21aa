//! Which headers of a request end at the edge.
//!
//! Invariants:
//! - A header that only the edge may set never comes from outside, in no spelling: servers that hand headers on
//!   as variables (CGI and its heirs) turn every character that is no letter or digit into `_`, so names are
//!   compared that way.
//! - A header with which a client could change the method, path, host, address or user after the decision goes too.
//!   Those of the platform (`CF-…`) are its own to set in their proper spelling, and end here in any other.
//! - The tenant that a client asks for goes to the origin, which knows whether it is that of the token, and to nobody
//!   else: an application learns the tenant from the token, in a header that is signed. The same goes for what a device
//!   is known by.
//! - Hop-by-hop headers, and those that `Connection` names, end here (RFC 9110 §7.6.1). Only the `Upgrade` of a
//!   WebSocket is passed on.
//! - The product's own cookies go to the origin and to nobody else.

/// The prefix, in lower case, of the cookies that belong to the origin.
pub(crate) const PRODUCT_COOKIE: &str = "__host-pc_";

/// What to do with one inbound header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Keep,
    Remove,
    Upgrade,
    /// It is for the origin alone.
    Withhold,
}

/// What to change about the headers of a request before it is forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan<'n> {
    /// The names to remove, as they were spelled.
    pub remove: Vec<&'n str>,
    /// The names to remove, too, unless the request goes to the origin.
    pub withhold: Vec<&'n str>,
    /// Whether there is a `Cookie`, which only the origin may see whole.
    pub has_cookies: bool,
}

/// Plans what to remove. `names` are the names of all headers, in lower case as the platform lists them,
/// parted by commas, which no name can hold; `header` looks up a value and is asked for `connection` and
/// `upgrade` at most.
pub fn plan(names: &str, header: impl Fn(&str) -> Option<String>) -> Plan<'_> {
    let mut plan = Plan::default();
    let mut connection = None;
    for name in names.split(',').filter(|name| !name.is_empty()) {
        match fate(name) {
            Fate::Keep => plan.has_cookies |= name.eq_ignore_ascii_case("cookie"),
            Fate::Remove => plan.remove.push(name),
            Fate::Withhold => plan.withhold.push(name),
            Fate::Upgrade => {
                if !header(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("websocket")) {
                    plan.remove.push(name);
                }
            }
        }
        if name.eq_ignore_ascii_case("connection") {
            connection = header(name);
        }
    }
    if let Some(listed) = connection {
        // Upgrade has been dealt with.
        let listed: Vec<&str> = listed
            .split(',')
            .map(str::trim)
            .filter(|name| !name.eq_ignore_ascii_case("upgrade"))
            .collect();
        for name in names.split(',') {
            if listed.iter().any(|other| other.eq_ignore_ascii_case(name)) && !plan.remove.contains(&name) {
                plan.remove.push(name);
            }
        }
    }
    plan
}

/// The `Cookie` value an upstream other than the origin may see: without the product's cookies. `None` when
/// nothing is left. The platform joins repeated headers with a comma, so a comma parts cookies too.
#[must_use]
pub fn foreign_cookies(cookies: &str) -> Option<String> {
    let mut kept = String::with_capacity(cookies.len());
    for piece in cookies.split_inclusive([';', ',']) {
        let name = piece.trim_start();
        let is_ours = name
            .as_bytes()
            .get(..PRODUCT_COOKIE.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(PRODUCT_COOKIE.as_bytes()));
        if !is_ours {
            kept.push_str(piece);
        }
    }
    let kept = kept.trim_matches([' ', '\t', ';', ',']);
    if kept.is_empty() {
        None
    } else {
        Some(kept.to_owned())
    }
}

/// Whether a `Cookie` value needs [`foreign_cookies`] at all.
#[must_use]
pub fn has_product_cookie(cookies: &str) -> bool {
    cookies
        .as_bytes()
        .windows(PRODUCT_COOKIE.len())
        .any(|window| window.eq_ignore_ascii_case(PRODUCT_COOKIE.as_bytes()))
}

fn fate(name: &str) -> Fate {
    // Nearly all names are done with after their first letter.
    match name.bytes().next().map(|byte| byte.to_ascii_lowercase()) {
        Some(b'x') if EDGE_ONLY_UNDER_X.iter().any(|start| is_under(name, start)) => Fate::Remove,
        Some(b'x') if is_any(name, &EDGE_ONLY_X) => Fate::Remove,
        Some(b'x') if is_any(name, &["x-tenant", "x-device-token"]) => Fate::Withhold,
        Some(b'f') if is_under(name, "forwarded") || is_any(name, &["fastly-client-ip"]) => Fate::Remove,
        Some(b's') if is_any(name, &["signature", "signature-input"]) => Fate::Remove,
        Some(b't') if is_any(name, &["te", "trailer", "transfer-encoding", "true-client-ip"]) => Fate::Remove,
        Some(b'c') if is_any(name, &["connection", "client-ip"]) || is_platforms_in_disguise(name) => {
            Fate::Remove
        }
        Some(b'r') if is_any(name, &["remote-user", "remote-addr"]) => Fate::Remove,
        Some(b'e') if is_any(name, &["expect"]) => Fate::Remove,
        Some(b'k') if is_any(name, &["keep-alive"]) => Fate::Remove,
        Some(b'w') if is_under(name, "wl-proxy") => Fate::Remove,
        Some(b'p')
            if is_any(
                name,
                &[
                    "proxy-authenticate",
                    "proxy-authorization",
                    "proxy-client-ip",
                    "proxy-connection",
                ],
            ) =>
        {
            Fate::Remove
        }
        Some(b'u') if is_any(name, &["upgrade"]) => Fate::Upgrade,
        // `_x_auth_subject` and the like fold to a name of ours once the odd first character is dropped.
        Some(first) if !first.is_ascii_alphanumeric() => match name.get(1..) {
            Some(rest) if is_under(rest, "cf") => Fate::Remove,
            Some(rest) if !rest.is_empty() => fate(rest),
            Some(_) | None => Fate::Keep,
        },
        _ => Fate::Keep,
    }
}

/// What begins like this is our own, or a proxy's word on who asks and what for: `X-WebAuth-User`, `X-Goog-Authenticated-User-Email`,
/// `X-MS-Client-Principal-Name`, `X-Envoy-Original-Path`.
const EDGE_ONLY_UNDER_X: [&str; 6] = [
    "x-auth",
    "x-forwarded",
    "x-webauth",
    "x-goog-authenticated-user",
    "x-ms-client-principal",
    "x-envoy",
];

/// Our own, and those by which servers and frameworks let a request say that it is another one: by its address and its
/// user behind a proxy, its path and host after a rewrite, its method for clients that know only GET and POST.
const EDGE_ONLY_X: [&str; 17] = [
    "x-request-id",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-remote-user",
    "x-remote-addr",
    "x-host",
    "x-http-host-override",
    "x-original-url",
    "x-original-uri",
    "x-original-host",
    "x-original-method",
    "x-override-url",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Whether an upstream that folds names would take `name` for one that the platform sets, and replaces where a client
/// sent it. The one that names a user without proof is set only where Cloudflare Access stands in front; nobody else
/// may send it, and an application that wants to know has the assertion beside it, which is signed.
fn is_platforms_in_disguise(name: &str) -> bool {
    is_under(name, "cf")
        && (!name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            || is_any(name, &["cf-access-authenticated-user-email"]))
}

/// Whether `name` is one of `folded`, comparing letters without case and all other characters as equal.
fn is_any(name: &str, folded: &[&str]) -> bool {
    folded
        .iter()
        .any(|other| name.len() == other.len() && begins(name, other))
}

/// Whether `name` is `folded`, or begins with it and a character that is no letter or digit.
fn is_under(name: &str, folded: &str) -> bool {
    begins(name, folded)
        && name
            .as_bytes()
            .get(folded.len())
            .is_none_or(|next| !next.is_ascii_alphanumeric())
}

fn begins(name: &str, folded: &str) -> bool {
    name.len() >= folded.len()
        && name.bytes().zip(folded.bytes()).all(|(byte, other)| match other {
            b'-' => !byte.is_ascii_alphanumeric(),
            letter => byte.eq_ignore_ascii_case(&letter),
        })
}

#[cfg(test)]
mod tests;
