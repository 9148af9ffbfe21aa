//! A request that nobody makes, and the edge's decision about it.

use std::rc::Rc;

use portcullis_edge::browser::Renewal;
use portcullis_edge::credential::Credential;
use portcullis_edge::decide::{Decision, Knowledge, Preflight, Refusal, RequestView, TokenVerdict, decide};
use portcullis_edge::deny_cache::DenyCache;
use portcullis_edge::policy::{Policy, Route};
use portcullis_edge::revocations::Revocations;
use portcullis_edge::tally::{Count, Tally};
use portcullis_edge::venue_roles::VenueRoles;
use portcullis_shared::claims::{AccessClaims, Expectations};
use portcullis_shared::error::TokenError;
use portcullis_shared::identity;
use portcullis_shared::jwk::JwkSet;
use portcullis_shared::revocation::Feed;
use portcullis_shared::signature::AwsLcKey;
use portcullis_shared::token::UnverifiedToken;

use super::{Attempt, CliError};

/// The host of a request for which none is named.
const HOST: &str = "https://edge.example";
const AUTHORIZATION: &str = "authorization";

/// A request that nobody makes.
#[derive(Clone)]
pub(super) struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    renewal: Renewal,
    tally: Tally,
}

impl Request {
    /// `path` may be a whole URL; header names are in lower case.
    pub(super) fn new(method: &str, path: &str, headers: Vec<(String, String)>) -> Self {
        let host = if path.contains("://") { "" } else { HOST };
        Self {
            method: method.to_owned(),
            url: format!("{host}{path}"),
            headers,
            renewal: Renewal::Untried,
            tally: Tally::default(),
        }
    }

    /// The same request with one header more.
    pub(super) fn with(mut self, name: &str, value: String) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    /// The same request with a bearer token.
    pub(super) fn bearing(self, token: &str) -> Self {
        self.with(AUTHORIZATION, format!("Bearer {token}"))
    }

    /// What it presents.
    pub(super) fn credential(&self) -> Credential<'_> {
        Credential::of(self.authorization(), self.cookie())
    }

    fn first(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }
}

impl RequestView for Request {
    fn method(&self) -> &str {
        &self.method
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn authorization(&self) -> Option<&str> {
        self.first(AUTHORIZATION)
    }

    fn cookie(&self) -> Option<&str> {
        self.first("cookie")
    }

    fn header(&self, name: &str) -> Option<String> {
        self.first(name).map(str::to_owned)
    }

    fn renewal(&self) -> &Renewal {
        &self.renewal
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

/// What there is to judge a token by.
pub(super) enum Judge {
    /// The claims that every token is said to have.
    Claims(Box<AccessClaims>),
    /// The keys that verify it.
    Keys(JwkSet),
    /// Nothing: no token is good.
    Nothing,
}

/// What the edge makes of a request.
pub(super) enum Outcome {
    /// It goes on.
    Pass {
        route: Rc<Route>,
        /// The headers that tell who is calling.
        told: Vec<(&'static str, String)>,
        /// What it would have been refused for if its route were enforced.
        shadow: Option<Refusal>,
    },
    /// It does not.
    Refuse(Refusal),
    /// A browser asks beforehand whether it may make the request.
    Preflight(Preflight),
    /// The edge has to do this first.
    First(&'static str),
}

/// A table in a moment in which nothing is revoked, nobody is over a limit, and the origin was asked for nothing.
pub(super) struct Trial<'p> {
    pub(super) policy: &'p Policy,
    /// In seconds since the epoch.
    pub(super) now: i64,
    revocations: Revocations,
    venue_roles: VenueRoles,
    denials: DenyCache,
}

impl<'p> Trial<'p> {
    /// `now` is in seconds since the epoch.
    pub(super) fn new(policy: &'p Policy, now: i64) -> Result<Self, CliError> {
        let mut revocations = Revocations::default();
        let nothing = Feed {
            as_of: now,
            epoch: 0,
            seq: 0,
            since: None,
            lifetime: 0,
            key_set_version: 0,
            sessions: Vec::new(),
            subjects: std::collections::BTreeMap::new(),
        };
        revocations
            .take_in(nothing, now, now)
            .attempt("the edge does not take in that nothing is revoked")?;
        Ok(Self {
            policy,
            now,
            revocations,
            venue_roles: VenueRoles::default(),
            denials: DenyCache::default(),
        })
    }

    /// What the edge decides.
    pub(super) fn decide(&self, request: &Request, judge: &Judge) -> Outcome {
        let knowledge = Knowledge {
            policy: self.policy,
            revocations: &self.revocations,
            venue_roles: &self.venue_roles,
            csrf_keys: &[],
            denials: &self.denials,
        };
        let known = |token: &str| match self.judge(token, judge) {
            Ok(claims) => TokenVerdict::Verified(claims),
            Err(error) => TokenVerdict::Refused(error),
        };
        let mut request = request.clone();
        loop {
            return match decide(&request, &knowledge, known, self.now) {
                // Each limit asks once.
                Decision::Count(question) => {
                    request.tally.note(&question.limit, Count::Within);
                    continue;
                }
                Decision::Pass(pass) => {
                    let mut told = pass.identity.as_ref().map(identity::headers).unwrap_or_default();
                    let shadow = pass.shadow.as_ref();
                    told.extend(shadow.map(|refusal| (identity::SHADOW, refusal.code.as_str().to_owned())));
                    Outcome::Pass {
                        route: pass.route,
                        told,
                        shadow: pass.shadow,
                    }
                }
                Decision::Refuse(refusal) => Outcome::Refuse(refusal),
                Decision::Preflight(preflight) => Outcome::Preflight(preflight),
                Decision::AskVenueRoles(_) => Outcome::First("ask_venue_roles"),
                Decision::Refresh(_) => Outcome::First("refresh"),
                Decision::Verify(_) => Outcome::First("verify"),
                Decision::FetchRevocations => Outcome::First("fetch_revocations"),
            };
        }
    }

    /// What a token is worth.
    pub(super) fn judge(&self, token: &str, judge: &Judge) -> Result<AccessClaims, TokenError> {
        let keys = match judge {
            Judge::Claims(claims) => return Ok(AccessClaims::clone(claims)),
            Judge::Keys(keys) => keys,
            Judge::Nothing => &JwkSet::default(),
        };
        let token = UnverifiedToken::parse(token)?;
        let key = keys.key(token.kid()).ok_or(TokenError::unknown_key())?;
        let key = AwsLcKey::new(key).map_err(|_| TokenError::unknown_key())?;
        let policy = self.policy;
        let expectations = Expectations::new(policy.issuer.as_str(), policy.audience.as_str());
        key.verify(token)?.check(&expectations, self.now)
    }
}
