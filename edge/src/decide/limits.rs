//! Whether a request is within the limits of its route.

use portcullis_shared::claims::AccessClaims;

use super::refusal::Refusal;
use super::{Knowledge, RequestView};
use crate::policy::{Counted, Limit, Route};
use crate::tally::{Count, Question, client_of};

/// Where the platform puts the client's address.
const CONNECTING_IP: &str = "cf-connecting-ip";
/// When to try again where the keeper of a limit did not answer, in seconds.
const UNKNOWN_RETRY_AFTER: u32 = 1;

/// Why a request does not go on.
#[derive(Debug)]
pub(super) enum Obstacle {
    Count(Question),
    Refuse(Refusal),
}

/// Holds a request against the limits by client, before anything is known about its credential.
pub(super) fn before_credential(
    view: &impl RequestView,
    knowledge: &Knowledge<'_>,
    route: &Route,
    now: i64,
) -> Result<(), Obstacle> {
    let who = |limit: &Limit| match limit.by {
        Counted::Client => Some(client_of(view.header(CONNECTING_IP).as_deref())),
        Counted::Subject | Counted::Tenant => None,
    };
    pass(view, knowledge, route, who, now)
}

/// Holds a request against the limits by subject and tenant, once a good token has said who they are.
pub(super) fn after_token(
    view: &impl RequestView,
    knowledge: &Knowledge<'_>,
    route: &Route,
    claims: &AccessClaims,
    now: i64,
) -> Result<(), Obstacle> {
    let who = |limit: &Limit| match limit.by {
        Counted::Client => None,
        Counted::Subject => Some(claims.sub.clone()),
        Counted::Tenant => Some(claims.tenant_id.clone()),
    };
    pass(view, knowledge, route, who, now)
}

/// Goes through the limits that say `who` is counted; the first that has not counted the request yet is to be asked.
fn pass(
    view: &impl RequestView,
    knowledge: &Knowledge<'_>,
    route: &Route,
    who: impl Fn(&Limit) -> Option<String>,
    now: i64,
) -> Result<(), Obstacle> {
    for limit in route.limits.iter() {
        match view.tally().of(limit) {
            Some(Count::Within | Count::WithinBy { .. }) => {}
            Some(Count::Over { retry_after }) => {
                return Err(Obstacle::Refuse(Refusal::over(limit, retry_after)));
            }
            Some(Count::Unknown) if limit.keeper.fails_open() => {}
            Some(Count::Unknown) => {
                let reason = "the keeper of an exact limit did not answer";
                let refusal = Refusal::unavailable(reason, UNKNOWN_RETRY_AFTER);
                return Err(Obstacle::Refuse(refusal));
            }
            None => {
                let Some(who) = who(limit) else { continue };
                let question = Question {
                    limit: limit.clone(),
                    who,
                };
                return Err(match knowledge.denials.denied(&question.key(), now) {
                    Some(retry_after) => Obstacle::Refuse(Refusal::over(limit, retry_after)),
                    None => Obstacle::Count(question),
                });
            }
        }
    }
    Ok(())
}
