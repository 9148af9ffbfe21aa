//! Requests, callers and what is known of them, made of any bytes.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use portcullis_edge::browser::{Renewal, Renewed};
use portcullis_edge::decide::{RequestView, TokenVerdict};
use portcullis_edge::revocations::Revocations;
use portcullis_edge::tally::Tally;
use portcullis_shared::claims::{AccessClaims, Audience};
use portcullis_shared::csrf;
use portcullis_shared::error::TokenError;
use portcullis_shared::revocation::Feed;
use uuid::Uuid;

use super::{KEY, METHODS, PATHS, PERMISSIONS, REFRESH, ROLES, TOKEN};
use crate::NOW;

#[derive(Arbitrary, Debug)]
pub(super) struct Case<'a> {
    method: Pick<'a>,
    path: Pick<'a>,
    suffix: Option<&'a str>,
    authorization: Option<Credential<'a>>,
    cookie: Option<Cookie<'a>>,
    length: Option<u8>,
    upgrade: bool,
    evidence: [Option<Evidence<'a>>; 2],
    renewal: Renewing<'a>,
    pub(super) verdict: Verdict,
    pub(super) claims: Claims,
    feed: Option<Told>,
    pub(super) later: u16,
}

/// One of the known texts, or any.
#[derive(Arbitrary, Debug)]
enum Pick<'a> {
    Known(u8),
    Any(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Credential<'a> {
    Token,
    Any(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Cookie<'a> {
    Access,
    Refresh,
    Both,
    Any(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Evidence<'a> {
    SameOrigin,
    CrossSite,
    OwnOrigin,
    Origin(&'a str),
    Token { other_session: bool },
    AnyToken(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Renewing<'a> {
    Untried,
    Renewed(&'a str),
    Refused,
    Limited(u8),
    Failed(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Verdict {
    Unknown,
    Verified,
    Refused,
    NoKeys,
}

#[derive(Arbitrary, Debug)]
pub(super) struct Claims {
    role: Option<u8>,
    permissions: Vec<u8>,
    venues: Vec<(bool, u8)>,
    acr: Option<bool>,
    auth_time_ago: Option<u16>,
    expires_in: i16,
    nbf_in: Option<i16>,
    session: u8,
    venues_truncated: bool,
}

#[derive(Arbitrary, Debug)]
struct Told {
    ago: u16,
    lifetime: u16,
    sessions: Vec<u8>,
    changed: bool,
    failed: bool,
}

pub(super) struct View {
    pub(super) method: String,
    url: String,
    pub(super) authorization: Option<String>,
    pub(super) cookie: Option<String>,
    pub(super) headers: BTreeMap<&'static str, String>,
    pub(super) renewal: Renewal,
    tally: Tally,
}

impl Case<'_> {
    pub(super) fn view(&self) -> View {
        let mut headers = BTreeMap::new();
        if let Some(length) = self.length {
            headers.insert("content-length", length.to_string());
        }
        if self.upgrade {
            headers.insert("upgrade", "websocket".to_owned());
        }
        for evidence in self.evidence.iter().flatten() {
            let (name, value) = evidence.header();
            headers.insert(name, value);
        }
        let suffix = self.suffix.unwrap_or_default();
        View {
            method: self.method.of(&METHODS).to_owned(),
            url: format!("https://edge.example{}{suffix}", self.path.of(&PATHS)),
            authorization: self.authorization.as_ref().map(|credential| match credential {
                Credential::Token => format!("Bearer {TOKEN}"),
                Credential::Any(text) => (*text).to_owned(),
            }),
            cookie: self.cookie.as_ref().map(Cookie::header),
            headers,
            renewal: self.renewal.of(),
            tally: Tally::default(),
        }
    }

    pub(super) fn revocations(&self) -> Revocations {
        let mut revocations = Revocations::default();
        let Some(told) = &self.feed else {
            return revocations;
        };
        let as_of = NOW + i64::from(self.later) - i64::from(told.ago % 16);
        let feed = Feed {
            as_of,
            epoch: 1,
            seq: 1,
            since: None,
            lifetime: u32::from(told.lifetime),
            key_set_version: 1,
            sessions: told.sessions.iter().map(|byte| session(*byte)).collect(),
            subjects: if told.changed {
                BTreeMap::from([(Uuid::nil(), NOW)])
            } else {
                BTreeMap::new()
            },
        };
        assert_eq!(revocations.take_in(feed, as_of, as_of), Ok(()));
        if told.failed {
            revocations.failed(NOW + i64::from(self.later));
        }
        revocations
    }
}

impl Pick<'_> {
    fn of<'p>(&'p self, known: &'p [&'p str]) -> &'p str {
        match self {
            Self::Known(at) => known
                .get(usize::from(*at) % known.len())
                .copied()
                .unwrap_or_default(),
            Self::Any(text) => text,
        }
    }
}

impl Cookie<'_> {
    fn header(&self) -> String {
        let (access, refresh) = (
            format!("__Host-pc_access={TOKEN}"),
            format!("__Host-pc_refresh={REFRESH}"),
        );
        match self {
            Self::Access => access,
            Self::Refresh => refresh,
            Self::Both => format!("a=1; {access}; {refresh}"),
            Self::Any(text) => (*text).to_owned(),
        }
    }
}

impl Evidence<'_> {
    fn header(&self) -> (&'static str, String) {
        match self {
            Self::SameOrigin => (csrf::SEC_FETCH_SITE, "same-origin".to_owned()),
            Self::CrossSite => (csrf::SEC_FETCH_SITE, "cross-site".to_owned()),
            Self::OwnOrigin => (csrf::ORIGIN, "https://edge.example".to_owned()),
            Self::Origin(text) => (csrf::ORIGIN, (*text).to_owned()),
            Self::Token { other_session } => (
                csrf::TOKEN,
                csrf::issue(&KEY, &session(u8::from(*other_session)).to_string()),
            ),
            Self::AnyToken(text) => (csrf::TOKEN, (*text).to_owned()),
        }
    }
}

impl Renewing<'_> {
    fn of(&self) -> Renewal {
        match self {
            Self::Untried => Renewal::Untried,
            Self::Renewed(access) => Renewal::Renewed(Renewed {
                access: (*access).to_owned(),
                refresh: REFRESH.to_owned(),
                set_cookies: Vec::new(),
            }),
            Self::Refused => Renewal::Refused,
            Self::Limited(seconds) => Renewal::Limited {
                retry_after: u32::from(*seconds),
            },
            Self::Failed(seconds) => Renewal::Failed {
                retry_after: u32::from(*seconds),
            },
        }
    }
}

impl Verdict {
    pub(super) fn of(self, claims: &AccessClaims) -> TokenVerdict<AccessClaims> {
        match self {
            Self::Unknown => TokenVerdict::Unknown,
            Self::Verified => TokenVerdict::Verified(claims.clone()),
            Self::Refused => TokenVerdict::Refused(TokenError::unknown_key()),
            Self::NoKeys => TokenVerdict::NoKeys { retry_after: 1 },
        }
    }
}

impl Claims {
    pub(super) fn of(&self) -> AccessClaims {
        let pick = |from: &[&str], at: u8| {
            let picked = from.get(usize::from(at) % from.len());
            picked.copied().unwrap_or_default().to_owned()
        };
        let mut venues = BTreeMap::<String, Vec<String>>::new();
        for (is_one, role) in &self.venues {
            let venue = if *is_one { "one" } else { "two" };
            venues
                .entry(venue.to_owned())
                .or_default()
                .push(pick(&ROLES, *role));
        }
        AccessClaims {
            exp: NOW + i64::from(self.expires_in),
            nbf: self.nbf_in.map(|nbf| NOW + i64::from(nbf)),
            sid: session(self.session).to_string(),
            role: self.role.map(|role| pick(&ROLES, role)),
            permissions: self
                .permissions
                .iter()
                .map(|at| pick(&PERMISSIONS, *at))
                .collect(),
            venues,
            venues_truncated: self.venues_truncated,
            auth_time: self.auth_time_ago.map(|ago| NOW - i64::from(ago)),
            acr: self
                .acr
                .map(|is_strong| if is_strong { "aal2" } else { "aal1" }.to_owned()),
            ..claims_of(NOW)
        }
    }
}

/// The session of this number, of a few that there are.
fn session(number: u8) -> Uuid {
    Uuid::from_u128(u128::from(number % 4))
}

/// Claims of somebody who may do nothing in particular, as of `now`, in seconds since the epoch.
pub(crate) fn claims_of(now: i64) -> AccessClaims {
    AccessClaims {
        iss: "i".to_owned(),
        aud: Audience::One("a".to_owned()),
        sub: Uuid::nil().to_string(),
        exp: now + 900,
        iat: now,
        nbf: None,
        jti: "j".to_owned(),
        client_id: None,
        sid: session(0).to_string(),
        tenant_id: "t".to_owned(),
        role: None,
        permissions: Vec::new(),
        venues: BTreeMap::new(),
        venues_truncated: false,
        auth_time: None,
        amr: Vec::new(),
        acr: None,
    }
}

impl View {
    pub(super) fn holds(&self, token: &str) -> bool {
        let renewed = match &self.renewal {
            Renewal::Renewed(renewed) => Some(&renewed.access),
            Renewal::Untried | Renewal::Refused | Renewal::Limited { .. } | Renewal::Failed { .. } => None,
        };
        [self.authorization.as_ref(), self.cookie.as_ref(), renewed]
            .into_iter()
            .flatten()
            .any(|text| text.contains(token))
    }
}

impl RequestView for View {
    fn method(&self) -> &str {
        &self.method
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).cloned()
    }

    fn renewal(&self) -> &Renewal {
        &self.renewal
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}
