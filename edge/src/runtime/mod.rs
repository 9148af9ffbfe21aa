//! The Worker around the decision: it reads the request, asks [`decide`], and does what was decided.
//!
//! Invariants:
//! - Requests share data, never promises: the platform cancels what another request waits for.
//! - Nothing of a forwarded request lives in Rust while the upstream is waited for, so a client that goes away
//!   leaves nothing behind.
//! - Whatever fails on the way to a response is a problem with the request's id.

mod body;
pub(crate) mod ending;
pub(crate) mod exact;
mod feed;
mod forward;
mod host;
mod inbound;
mod isolate;
mod keys;
mod limits;
mod outbound;
mod own;
#[cfg(feature = "panic-route")]
mod panic_route;
mod random;
mod report;
mod session;
pub(crate) mod task;
mod venue_roles;

use std::cell::OnceCell;
use std::rc::Rc;

use js_sys::Array;
use portcullis_shared::claims::AccessClaims;
use portcullis_shared::identity;
use portcullis_shared::problem::ProblemCode;
use portcullis_shared::token::UnverifiedToken;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::Request;

use crate::answer::Answer;
use crate::config::{Config, Watch};
use crate::decide::{Decision, Knowledge, Refusal, TokenVerdict, decide};
use crate::log::Entry;
use crate::policy::{Destination, MOST_LIMITS};
use crate::request_id;
use crate::revocations::Outlook;
use crate::tally;
use crate::trace::{Round, Trace, Verdict};
use crate::venue_roles::Question;
use inbound::Inbound;
use isolate::Isolate;
use outbound::is_secure;

/// What a verified token proves, ready to be forwarded.
#[derive(Debug)]
pub(crate) struct Identity {
    claims: AccessClaims,
    headers: Vec<(&'static str, String)>,
    /// See [`Identity::texts`].
    texts: OnceCell<Array>,
}

impl Identity {
    fn of(claims: AccessClaims) -> Self {
        Self {
            headers: identity::headers(&claims),
            claims,
            texts: OnceCell::new(),
        }
    }

    /// The names and values of the headers in turn, on the JavaScript side: they cross over with the first request that
    /// is forwarded, and not with each.
    fn texts(&self) -> &Array {
        self.texts.get_or_init(|| {
            let texts = self.headers.iter().flat_map(|(name, value)| [*name, value]);
            host::lines(&texts.collect::<Vec<_>>().join("\n"))
        })
    }
}

/// The same, shared between the token cache and the requests that use it.
#[derive(Clone, Debug)]
pub(crate) struct SharedIdentity(Rc<Identity>);

impl std::borrow::Borrow<AccessClaims> for SharedIdentity {
    fn borrow(&self) -> &AccessClaims {
        &self.0.claims
    }
}

/// How often a request may find that something is lacking: its limits, and its revocations, its token, its session, its
/// venue, and each of those once more.
const MOST_ROUNDS: usize = 8 + MOST_LIMITS;

/// What came of one attempt to decide.
enum Step {
    Respond(JsValue),
    Count(tally::Question),
    Verify(Rc<str>),
    FetchRevocations,
    Refresh(String),
    AskVenueRoles(Question),
}

/// Handles one request: the result is a response, or a promise of one.
pub(crate) fn handle(request: Request, environment: &JsValue, context: JsValue) -> JsValue {
    #[cfg(feature = "panic-route")]
    if let Some(answer) = panic_route::answer(&request) {
        return answer;
    }
    let isolate = Isolate::current();
    let inbound = Inbound::of(request, context.unchecked_into(), &isolate);
    let Some(config) = isolate.config(environment) else {
        let refusal = Refusal::new(ProblemCode::InternalError, "the configuration has mistakes");
        return inbound.refuse(&refusal, Watch::FAULT);
    };
    let next = step(&isolate, &config, &inbound, None);
    match next {
        Step::Verify(token) => verify(isolate, config, inbound, token),
        next => go_on(isolate, config, inbound, next),
    }
}

/// Decides again once the platform has given its verdict on a token. Most tokens that are new to the isolate lack
/// nothing else, so they get by without a task, and without asking the platform to wait for one.
fn verify(isolate: Rc<Isolate>, config: Rc<Config>, mut inbound: Inbound, token: Rc<str>) -> JsValue {
    inbound.waits_for(Round::Token);
    let unverified = match UnverifiedToken::parse(&token) {
        Ok(unverified) => unverified,
        Err(error) => {
            let next = step(&isolate, &config, &inbound, Some(TokenVerdict::Refused(error)));
            return go_on(isolate, config, inbound, next);
        }
    };
    let Some(key) = keys::at_hand(&isolate, unverified.kid(), inbound.now()) else {
        return go_on(isolate, config, inbound, Step::Verify(token));
    };
    let version = isolate.keys.borrow().minimum_version();
    let verified = Rc::clone(&token);
    key.verify_then(unverified, move |outcome| {
        // No clock is asked again: the platform gives the verdict in the same turn.
        let verdict = keys::conclude(&isolate, &config, &verified, version, outcome, inbound.now());
        let next = step(&isolate, &config, &inbound, Some(verdict));
        go_on(isolate, config, inbound, next)
    })
}

/// Responds, or finds out what is lacking.
fn go_on(isolate: Rc<Isolate>, config: Rc<Config>, inbound: Inbound, next: Step) -> JsValue {
    if let Step::Respond(response) = next {
        return response;
    }
    let context = inbound.context.clone();
    let response = task::run(async move { pursue(&isolate, &config, inbound, next).await });
    // A client that goes away would leave the task waiting for ever, and a refreshed session without its cookies.
    context.wait_until(&response);
    response
}

/// Answers a request in whose handling the instance before this one has panicked.
pub(crate) fn after_panic(request: &Request) -> JsValue {
    let given = request.headers().get(identity::REQUEST_ID).ok().flatten();
    let given = given.filter(|id| request_id::is_acceptable(id));
    let request_id = given.unwrap_or_else(|| Isolate::current().new_id());
    let refusal = Refusal::new(ProblemCode::InternalError, "the Worker has panicked");
    let entry = Entry {
        request_id: &request_id,
        trace: Trace::of(&request.method()),
        route: None,
        decision: refusal.code.as_str(),
        would_be: None,
        reason: Some(&refusal.reason),
        status: refusal.code.status(),
        upstream: None,
    };
    host::log_line(&entry.to_json());
    let answer = Answer::refusing(&refusal, &request_id);
    inbound::respond_strictly(answer, is_secure(&request.url()))
}

/// Finds out what the decision lacks, and decides again, until there is a response.
async fn pursue(isolate: &Rc<Isolate>, config: &Rc<Config>, mut inbound: Inbound, mut next: Step) -> JsValue {
    let mut verdict = None;
    for _ in 0..MOST_ROUNDS {
        match next {
            Step::Respond(response) => return response,
            Step::Count(question) => {
                inbound.waits_for(Round::Limits);
                let count = limits::ask(isolate, config, &question).await;
                inbound.tally.note(&question.limit, count);
            }
            // What came of it is in the isolate: a state to decide upon, or a pause before the next attempt.
            Step::FetchRevocations => {
                inbound.waits_for(Round::Revocations);
                feed::make_current(isolate, config).await;
            }
            Step::Verify(token) => {
                inbound.waits_for(Round::Token);
                verdict = Some(keys::verify(isolate, config, &token, inbound.now()).await);
            }
            Step::Refresh(token) => {
                // The verdict was about the token before.
                verdict = None;
                inbound.waits_for(Round::Session);
                inbound.renewal = session::refresh(isolate, config, &inbound, &token).await;
            }
            // What came of it is in the isolate: an answer, or a pause before the next question.
            Step::AskVenueRoles(question) => {
                inbound.waits_for(Round::Venue);
                venue_roles::make_known(isolate, config, &question).await;
            }
        }
        inbound.look_at_the_clock();
        next = step(isolate, config, &inbound, verdict.clone());
    }
    let reason = "what the decision depends on changes too fast";
    let refusal = Refusal {
        retry_after: Some(1),
        ..Refusal::new(ProblemCode::Unavailable, reason)
    };
    inbound.refuse(&refusal, config.watch())
}

/// Decides. `verdict` is what this request has found out about its token; without one it is what the isolate knows. It is no
/// function of the caller's, since each would have a decision of its own compiled for it.
fn step(
    isolate: &Rc<Isolate>,
    config: &Rc<Config>,
    inbound: &Inbound,
    verdict: Option<TokenVerdict<SharedIdentity>>,
) -> Step {
    let known = |token: &str| match verdict {
        Some(TokenVerdict::Unknown) | None => {
            inbound.noting(Verdict::Cached, isolate.known(token, inbound.now()))
        }
        Some(verdict) => inbound.noting(Verdict::Verified, verdict),
    };
    let decision = {
        let knowledge = Knowledge {
            policy: &config.policy,
            revocations: &isolate.revocations.borrow(),
            venue_roles: &isolate.venue_roles.borrow(),
            csrf_keys: &config.csrf_keys,
            denials: &isolate.denials.borrow(),
        };
        decide(inbound, &knowledge, known, inbound.now())
    };
    let pass = match decision {
        Decision::Pass(pass) => venue_roles::naming(pass),
        Decision::Count(question) => return Step::Count(question),
        Decision::Verify(token) => return Step::Verify(token.into()),
        Decision::FetchRevocations => return Step::FetchRevocations,
        Decision::Refresh(token) => return Step::Refresh(token.to_owned()),
        Decision::AskVenueRoles(question) => return Step::AskVenueRoles(question),
        Decision::Refuse(refusal) => {
            return Step::Respond(inbound.refuse(&refusal, config.watch()));
        }
        Decision::Preflight(preflight) => {
            return Step::Respond(inbound.preflight(&preflight, config.watch()));
        }
    };
    if pass.identity.is_some() {
        look_after_revocations(isolate, config, inbound, pass.stale.is_some());
    }
    let upstream = match &pass.route.destination {
        Destination::ForwardAuth => {
            let permitted = inbound.permit(&pass, config.watch());
            return Step::Respond(limits::announce(permitted, &pass.route, inbound));
        }
        Destination::Upstream(name) => config.upstream(name),
    };
    // The configuration has every upstream that its policy names.
    let forwarded = upstream
        .and_then(|upstream| forward::forward(isolate, config, inbound, upstream, &pass).ok())
        .map(|coming| limits::announce_later(coming, &pass.route, inbound));
    Step::Respond(forwarded.unwrap_or_else(|| {
        let refusal = Refusal::new(ProblemCode::InternalError, "the request could not be rebuilt");
        inbound.refuse(&refusal, config.watch())
    }))
}

/// Counts a request that passes upon a stale state, and has an ageing one renewed after the response.
fn look_after_revocations(isolate: &Rc<Isolate>, config: &Rc<Config>, inbound: &Inbound, is_stale: bool) {
    let now = inbound.now();
    let mut revocations = isolate.revocations.borrow_mut();
    if is_stale {
        revocations.passed_stale();
    }
    if revocations.outlook(now) == Outlook::Ageing && revocations.begin_renewal(now) {
        drop(revocations);
        inbound
            .context
            .wait_until(&feed::renew_afterwards(isolate, config));
    }
}
