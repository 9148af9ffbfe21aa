//! Who is calling: what a bearer token or session cookies are worth at this moment.

use std::borrow::Borrow;

use portcullis_shared::claims::{AccessClaims, Expectations};
use portcullis_shared::cookies::SessionCookies;
use portcullis_shared::csrf::{self, CsrfRefusal, Evidence, OwnOrigin};
use portcullis_shared::token::UnverifiedToken;

use super::refusal::Refusal;
use super::{Knowledge, RequestView, TokenVerdict};
use crate::browser::{CookieFate, Renewal, origin_of};
use crate::credential::Credential;
use crate::policy::{Destination, Gate, Requirement, Route};
use crate::revocations::{FAILURE_PAUSE_SECONDS, Outlook, Standing};

/// What every refresh token begins with; anything else is not worth asking the origin about.
const REFRESH_PREFIX: &str = "pcr_";

/// The bearer of a request, if it has one that is known.
#[derive(Debug)]
pub(super) struct Caller<I> {
    pub(super) identity: Option<I>,
    /// See [`super::Pass::stale`].
    pub(super) stale: Option<i64>,
    pub(super) cookies: CookieFate,
}

impl<I> Caller<I> {
    pub(super) const fn nobody(cookies: CookieFate) -> Self {
        Self {
            identity: None,
            stale: None,
            cookies,
        }
    }
}

/// Why it cannot be said, or must not be answered, who is calling.
#[derive(Debug)]
pub(super) enum Obstacle<'r> {
    Verify(&'r str),
    FetchRevocations,
    Refresh(&'r str),
    Refuse(Refusal),
}

/// What is wrong with a token.
enum Flaw<'r> {
    Verify(&'r str),
    FetchRevocations,
    /// It cannot be judged for want of something that only time brings.
    Unavailable(Refusal),
    /// Its session has ended, so that no other token of it is any better.
    Ended(Refusal),
    /// It is not good; another one of its session may be.
    Bad(Refusal),
}

/// Finds out who is calling. `known` is asked at most once.
pub(super) fn find<'r, I: Borrow<AccessClaims>>(
    view: &'r impl RequestView,
    credential: Credential<'r>,
    route: &Route,
    knowledge: &Knowledge<'_>,
    known: impl FnOnce(&str) -> TokenVerdict<I>,
    now: i64,
) -> Result<Caller<I>, Obstacle<'r>> {
    let gate = &route.gate;
    let judge = |token| judge(token, gate, knowledge, known, now);
    match credential {
        Credential::None | Credential::Ambiguous => Ok(Caller::nobody(CookieFate::Keep)),
        Credential::Malformed => Err(Obstacle::Refuse(Refusal::malformed_token())),
        Credential::Bearer(token) => judge(token).map_err(|flaw| match flaw {
            Flaw::Verify(token) => Obstacle::Verify(token),
            Flaw::FetchRevocations => Obstacle::FetchRevocations,
            Flaw::Unavailable(refusal) | Flaw::Ended(refusal) | Flaw::Bad(refusal) => {
                Obstacle::Refuse(refusal)
            }
        }),
        // A proxy that asks sends neither the method of the request nor our cookies back: nobody could tell who made
        // the request, nor tell the browser of a refresh.
        Credential::Cookies(_) if route.destination == Destination::ForwardAuth => {
            Ok(Caller::nobody(CookieFate::Keep))
        }
        Credential::Cookies(cookies) => {
            let sid = vouch(view, knowledge).map_err(|refusal| Obstacle::Refuse(Refusal::csrf(refusal)))?;
            let caller = by_cookies(view, cookies, route, judge)?;
            // Only where both are known here can they be compared; else the origin does.
            let is_others = sid
                .as_deref()
                .zip(caller.identity.as_ref())
                .is_some_and(|(sid, identity)| identity.borrow().sid != sid);
            if is_others {
                return Err(Obstacle::Refuse(Refusal::csrf(CsrfRefusal::Token)));
            }
            Ok(caller)
        }
    }
}

/// Asks for whom a request with session cookies speaks that may change something. Where a CSRF token is what it is
/// believed by, the result is the session which that token speaks for.
fn vouch(view: &impl RequestView, knowledge: &Knowledge<'_>) -> Result<Option<String>, CsrfRefusal> {
    // A WebSocket begins with a GET, and what is said over it may change anything.
    if csrf::is_safe(view.method()) && view.header("upgrade").is_none() {
        return Ok(None);
    }
    let [site, origin, token] =
        [csrf::SEC_FETCH_SITE, csrf::ORIGIN, csrf::TOKEN].map(|name| view.header(name));
    let evidence = Evidence {
        sec_fetch_site: site.as_deref(),
        origin: origin.as_deref(),
        token: token.as_deref(),
    };
    let mut session = None;
    csrf::judge(&evidence, OwnOrigin::Known(origin_of(view.url())), |token| {
        session = csrf::session_of(knowledge.csrf_keys, token).map(str::to_owned);
        session.is_some()
    })?;
    Ok(session)
}

fn by_cookies<'r, I>(
    view: &'r impl RequestView,
    cookies: SessionCookies<'r>,
    route: &Route,
    judge: impl FnOnce(&'r str) -> Result<Caller<I>, Flaw<'r>>,
) -> Result<Caller<I>, Obstacle<'r>> {
    // Where everybody may pass, cookies that are good for nothing make a caller nobody rather than a refused one.
    let or_nobody = |refusal: Refusal| {
        if route.gate.requirement == Requirement::Public {
            Ok(Caller::nobody(refusal.cookies))
        } else {
            Err(Obstacle::Refuse(refusal))
        }
    };
    let token = match view.renewal() {
        Renewal::Untried => cookies.access.value(),
        Renewal::Renewed(renewed) => Some(renewed.access.as_str()),
        Renewal::Refused => return or_nobody(Refusal::no_token().clearing()),
        Renewal::Limited { retry_after } => return or_nobody(Refusal::limited(*retry_after)),
        Renewal::Failed { retry_after } => {
            return or_nobody(Refusal::unavailable(
                "the session could not be refreshed",
                *retry_after,
            ));
        }
    };
    let refusal = match token.map(judge) {
        Some(Ok(caller)) => return Ok(caller),
        Some(Err(Flaw::Verify(token))) => return Err(Obstacle::Verify(token)),
        Some(Err(Flaw::FetchRevocations)) => return Err(Obstacle::FetchRevocations),
        Some(Err(Flaw::Unavailable(refusal))) => return or_nobody(refusal),
        Some(Err(Flaw::Ended(refusal))) => return or_nobody(refusal.clearing()),
        Some(Err(Flaw::Bad(refusal))) => refusal,
        None => Refusal::no_token(),
    };
    let refresh = cookies
        .refresh
        .value()
        .filter(|token| token.starts_with(REFRESH_PREFIX));
    match (refresh, view.renewal()) {
        (Some(token), Renewal::Untried) if csrf::is_safe(view.method()) && route.refreshes_sessions() => {
            Err(Obstacle::Refresh(token))
        }
        // A body would have to wait. The page refreshes and asks again.
        (Some(_), _) => or_nobody(refusal),
        (None, _) => or_nobody(refusal.clearing()),
    }
}

/// What a token is worth. What is known about revocations must be of use before a token is looked at, since it may
/// say that the keys are not.
fn judge<'r, I: Borrow<AccessClaims>>(
    token: &'r str,
    gate: &Gate,
    knowledge: &Knowledge<'_>,
    known: impl FnOnce(&str) -> TokenVerdict<I>,
    now: i64,
) -> Result<Caller<I>, Flaw<'r>> {
    let revocations = knowledge.revocations;
    let outlook = revocations.outlook(now);
    if outlook == Outlook::Due {
        // What is no token by its form is not worth a fetch.
        return Err(match UnverifiedToken::parse(token) {
            Ok(_) => Flaw::FetchRevocations,
            Err(error) => Flaw::Bad(Refusal::bad_token(error)),
        });
    }
    let identity = match known(token) {
        TokenVerdict::Verified(identity) => identity,
        TokenVerdict::Unknown => return Err(Flaw::Verify(token)),
        TokenVerdict::Refused(error) => return Err(Flaw::Bad(Refusal::bad_token(error))),
        TokenVerdict::NoKeys { retry_after } => {
            let reason = "no keys to verify the token with";
            return Err(Flaw::Unavailable(Refusal::unavailable(reason, retry_after)));
        }
    };
    let claims = identity.borrow();
    claims
        .recheck_time(Expectations::DEFAULT_LEEWAY_SECONDS, now)
        .map_err(|error| Flaw::Bad(Refusal::bad_token(error)))?;
    match revocations.standing(claims) {
        Standing::Good => {}
        Standing::Ended => return Err(Flaw::Ended(Refusal::ended_session())),
        Standing::Outdated => return Err(Flaw::Bad(Refusal::outdated_token())),
    }
    let stale = match outlook {
        Outlook::Fresh | Outlook::Ageing | Outlook::Due => None,
        Outlook::Stale(Some(age)) if !gate.sensitive && age <= revocations.longest_stale_age() => Some(age),
        Outlook::Stale(_) => {
            let reason = "what was revoked lately is not known";
            return Err(Flaw::Unavailable(Refusal::unavailable(
                reason,
                FAILURE_PAUSE_SECONDS,
            )));
        }
    };
    Ok(Caller {
        identity: Some(identity),
        stale,
        cookies: CookieFate::Keep,
    })
}
