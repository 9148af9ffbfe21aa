//! `portcullis token explain` for refresh tokens: the rules of [`judge`](super::judge), in its order.

use secrecy::SecretString;

use crate::kernel::db::PgConnection;
use crate::kernel::explanation::{Check, Outcome, moment};
use crate::kernel::time::Timestamp;

use super::inspect::Inspection;
use super::judge::Judgement;
use super::refresh_token::PresentedToken;
use super::{Sessions, SessionsError};

/// Name, demand and reference of each rule, in the order in which a token meets them.
const RULES: [(&str, &str, &str); 7] = [
    ("form", "spelled as refresh tokens are", "RFC 6749 §1.5"),
    (
        "mac",
        "made by this server for a chain that is there",
        "RFC 2104 §2",
    ),
    ("session", "not ended early", "RFC 6749 §10.4"),
    ("absolute", "the sign-in is not too old", "RFC 9700 §4.14.2"),
    ("idle", "refreshed recently enough", "RFC 9700 §4.14.2"),
    (
        "generation",
        "the current one, or just replaced",
        "RFC 9700 §4.14.2",
    ),
    ("account", "may sign in", "RFC 6749 §10.4"),
];
const FORM: usize = 0;
const MAC: usize = 1;
const SESSION: usize = 2;
const ABSOLUTE: usize = 3;
const IDLE: usize = 4;
const GENERATION: usize = 5;
const ACCOUNT: usize = 6;

impl Sessions {
    /// What becomes of each rule for `token` at `now`. The chain is left as it is.
    pub async fn explain(
        &self,
        connection: &mut PgConnection,
        token: &SecretString,
        now: Timestamp,
    ) -> Result<Vec<Check>, SessionsError> {
        let refused_unknown = if PresentedToken::parse(token).is_some() {
            MAC
        } else {
            FORM
        };
        let inspection = self.inspect(connection, token, now).await?;
        let refused = match &inspection {
            None => Some(refused_unknown),
            Some(inspection) => refused_rule(inspection, now),
        };
        let checks = RULES
            .into_iter()
            .enumerate()
            .map(|(at, (check, rule, reference))| {
                let outcome = Outcome::at(at, refused);
                let detail = match (outcome, &inspection) {
                    (Outcome::Good | Outcome::Refused, Some(inspection)) => finding(at, inspection, now),
                    (Outcome::NotReached, _) | (_, None) => None,
                };
                Check {
                    check,
                    rule,
                    reference,
                    outcome,
                    detail,
                }
            });
        Ok(checks.collect())
    }
}

fn refused_rule(inspection: &Inspection, now: Timestamp) -> Option<usize> {
    match inspection.judgement {
        Judgement::Revoked => Some(SESSION),
        Judgement::Expired if now >= inspection.chain.absolute_expires_at => Some(ABSOLUTE),
        Judgement::Expired => Some(IDLE),
        Judgement::Reuse | Judgement::Unissued => Some(GENERATION),
        Judgement::Rotate | Judgement::Replay if !inspection.account_is_active => Some(ACCOUNT),
        Judgement::Rotate | Judgement::Replay => None,
    }
}

fn finding(rule: usize, inspection: &Inspection, now: Timestamp) -> Option<String> {
    match rule {
        MAC => Some(format!("tenant {}", inspection.tenant_slug)),
        SESSION => Some(inspection.owner.session_id.to_string()),
        ABSOLUTE => Some(moment(inspection.chain.absolute_expires_at, now)),
        IDLE => Some(moment(inspection.chain.idle_expires_at, now)),
        GENERATION => Some(position(inspection, now)),
        ACCOUNT => Some(inspection.owner.user_id.to_string()),
        _ => None,
    }
}

fn position(inspection: &Inspection, now: Timestamp) -> String {
    let (own, current) = (inspection.generation, inspection.chain.generation);
    match inspection.judgement {
        Judgement::Unissued => format!("{own} was never given out: the chain is at {current}"),
        Judgement::Replay => format!(
            "{own}, the predecessor of {current}: answered again until {}",
            moment(inspection.good_until, now)
        ),
        Judgement::Reuse => {
            format!(
                "{own} was replaced for good, the chain is at {current}: presenting it would end the session"
            )
        }
        Judgement::Rotate => format!(
            "{own}, the current one since {}",
            moment(inspection.chain.rotated_at, now)
        ),
        Judgement::Expired | Judgement::Revoked => format!("{own}, the chain is at {current}"),
    }
}
