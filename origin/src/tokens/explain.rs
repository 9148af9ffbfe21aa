//! `portcullis token explain` for access tokens: the answer of [`Tokens::authenticate`], laid out on the rules it stands
//! for.

use portcullis_shared::claims::{AccessClaims, Audience};
use portcullis_shared::error::{TokenError, TokenStage};
use portcullis_shared::jws::CompactJws;

use crate::kernel::explanation::{Check, Outcome, moment};
use crate::kernel::time::Timestamp;
use crate::sessions;

use super::model::Authenticated;
use super::{Tokens, TokensError, identifiers};

/// What became of each rule, and what the token says if it is good.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The rules, in the order in which a token meets them.
    pub checks: Vec<Check>,
    /// The claims, where they could be believed: nobody answers for those of a token that failed before.
    pub claims: Option<AccessClaims>,
}

/// A rule, and the refusals that mean it was not met: those of `stage` that name one of `claims`, or any of the stage
/// where `claims` is empty.
struct Rule {
    check: &'static str,
    demand: &'static str,
    reference: &'static str,
    refusals: Refusals,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusals {
    /// Of the verification in the shared crate.
    Of(TokenStage, &'static [&'static str]),
    /// None of its own: the rule is part of the one named `claims`.
    PartOfClaims,
    /// The session.
    Session,
    /// Its account.
    Account,
    /// What has changed about the account since.
    Outdated,
}

const fn rule(
    check: &'static str,
    demand: &'static str,
    reference: &'static str,
    refusals: Refusals,
) -> Rule {
    Rule {
        check,
        demand,
        reference,
        refusals,
    }
}

use Refusals::{Account, Of, Outdated, PartOfClaims, Session};
use TokenStage::{Claims, Encoding, Expectations, Form, Header, Key, Payload, Signature};

/// In the order of the verification, so that whatever stands before a refused rule has been met.
const RULES: [Rule; 23] = [
    rule(
        "form",
        "8 KiB at most, three segments, the header a JSON object",
        "RFC 7515 §7.1",
        Of(Form, &[]),
    ),
    rule(
        "crit",
        "no crit, b64, zip or enc",
        "RFC 7515 §4.1.11",
        Of(Header, &["crit", "b64", "zip", "enc"]),
    ),
    rule(
        "alg",
        "RS256",
        "RFC 7515 §4.1.1, RFC 8725 §3.1",
        Of(Header, &["alg"]),
    ),
    rule("kid", "names a key", "RFC 7515 §4.1.4", Of(Header, &["kid"])),
    rule(
        "encoding",
        "payload and signature in canonical base64url",
        "RFC 7515 §2",
        Of(Encoding, &[]),
    ),
    rule(
        "typ",
        "at+jwt",
        "RFC 9068 §4, RFC 8725 §3.11",
        Of(Header, &["typ"]),
    ),
    rule(
        "payload",
        "a JSON object with unique names",
        "RFC 7519 §7.2, §4",
        Of(Payload, &[]),
    ),
    rule("key", "of the key set", "RFC 7517 §4.5", Of(Key, &[])),
    rule(
        "signature",
        "of that key, over these bytes",
        "RFC 7518 §3.3",
        Of(Signature, &[]),
    ),
    rule(
        "claims",
        "all there, each of its type",
        "RFC 9068 §2.2",
        Of(Claims, &[]),
    ),
    rule(
        "sub",
        "the account",
        "RFC 9068 §2.2, RFC 7519 §4.1.2",
        PartOfClaims,
    ),
    rule(
        "jti",
        "the token's own name",
        "RFC 9068 §2.2, RFC 7519 §4.1.7",
        PartOfClaims,
    ),
    rule(
        "client_id",
        "whom it was issued to",
        "RFC 9068 §2.2",
        PartOfClaims,
    ),
    rule(
        "sid",
        "the session",
        "OpenID Connect Front-Channel Logout 1.0 §3",
        PartOfClaims,
    ),
    rule("tenant_id", "the tenant", "docs/architecture.md", PartOfClaims),
    rule(
        "iss",
        "this installation",
        "RFC 9068 §4, RFC 7519 §4.1.1",
        Of(Expectations, &["iss"]),
    ),
    rule(
        "aud",
        "the configured audience",
        "RFC 9068 §4, RFC 7519 §4.1.3",
        Of(Expectations, &["aud"]),
    ),
    rule(
        "exp",
        "not past, with 5 s of leeway",
        "RFC 9068 §4, RFC 7519 §4.1.4",
        Of(Expectations, &["exp"]),
    ),
    rule(
        "nbf",
        "not ahead, where it is there",
        "RFC 7519 §4.1.5",
        Of(Expectations, &["nbf"]),
    ),
    rule("iat", "not ahead", "RFC 7519 §4.1.6", Of(Expectations, &["iat"])),
    rule(
        "session",
        "there, not ended and not run out",
        "docs/architecture.md",
        Session,
    ),
    rule("account", "may sign in", "docs/architecture.md", Account),
    rule(
        "current",
        "made since the account last changed",
        "docs/architecture.md",
        Outdated,
    ),
];

/// What the production code has answered.
struct Answer {
    /// The position of the rule that was not met.
    refused: Option<usize>,
    /// What was found there.
    why: Option<String>,
    claims: Option<AccessClaims>,
}

impl Tokens {
    /// What becomes of each rule for `token` at `now`. Fails where the production code could give no answer.
    pub async fn explain(&self, token: &str, now: Timestamp) -> Result<Explanation, TokensError> {
        let answer = match self.authenticate(token, now).await {
            Ok(Authenticated { claims, live: _ }) => Answer {
                refused: None,
                why: None,
                claims: Some(claims),
            },
            Err(TokensError::Refused(error)) => Answer {
                refused: Some(position(|rule| rule.is_about(&error))),
                why: Some(why(&error, now)),
                claims: None,
            },
            Err(TokensError::SessionOver) => self.explain_session(token, now).await?,
            Err(TokensError::Outdated) => Answer {
                refused: Some(position(|rule| rule.refusals == Outdated)),
                why: Some("the password or the role has changed since; a refresh helps".to_owned()),
                claims: Some(self.verify(token, now).await?),
            },
            Err(
                error @ (TokensError::Missing
                | TokensError::TwoAuthorizations
                | TokensError::BearerAndCookie
                | TokensError::AmbiguousCookie(_)
                | TokensError::CrossSite(_)
                | TokensError::OtherTenant
                | TokensError::Tenant(_)
                | TokensError::Sessions(_)
                | TokensError::Keys(_)
                | TokensError::Database(_)),
            ) => return Err(error),
        };
        let kid = CompactJws::parse(token)
            .ok()
            .and_then(|jws| jws.kid().map(printable));
        let checks = RULES.iter().enumerate().map(|(at, rule)| {
            let outcome = Outcome::at(at, answer.refused);
            let claims = answer.claims.as_ref();
            let detail = match outcome {
                Outcome::Good if rule.check == "kid" => kid.clone(),
                Outcome::Good => claims.and_then(|claims| shown(rule.check, claims, now)),
                Outcome::Refused => answer.why.clone(),
                Outcome::NotReached => None,
            };
            Check {
                check: rule.check,
                rule: rule.demand,
                reference: rule.reference,
                outcome,
                detail,
            }
        });
        Ok(Explanation {
            checks: checks.collect(),
            claims: answer.claims,
        })
    }

    /// A token that is good in itself was refused for its session or its account: which, and why.
    async fn explain_session(&self, token: &str, now: Timestamp) -> Result<Answer, TokensError> {
        let claims = self.verify(token, now).await?;
        let standing = match identifiers(&claims) {
            Some((session, tenant, user)) => {
                let mut connection = self.0.pool.acquire().await?;
                sessions::find_standing(&mut connection, session, tenant, user, now).await?
            }
            None => None,
        };
        let (refused, why) = match standing {
            None => (Session, "there is no such session".to_owned()),
            Some(standing) if !standing.session_is_live => {
                let reason = standing.revoked_reason.map_or_else(
                    || "it has run out".to_owned(),
                    |reason| format!("it was ended: {reason}"),
                );
                (Session, reason)
            }
            Some(_) => (Account, "it is locked, disabled or deleted".to_owned()),
        };
        Ok(Answer {
            refused: Some(position(|rule| rule.refusals == refused)),
            why: Some(why),
            claims: Some(claims),
        })
    }
}

impl Rule {
    fn is_about(&self, error: &TokenError) -> bool {
        match self.refusals {
            Of(stage, claims) => {
                stage == error.stage
                    && (claims.is_empty() || error.claim.is_some_and(|claim| claims.contains(&claim)))
            }
            PartOfClaims | Session | Account | Outdated => false,
        }
    }
}

/// The position of the first rule like that. Every refusal has its rule, which a test holds; the first rule of all
/// would claim the least.
fn position(is_meant: impl Fn(&Rule) -> bool) -> usize {
    RULES.iter().position(is_meant).unwrap_or(0)
}

fn why(error: &TokenError, now: Timestamp) -> String {
    let reason = match error.claim {
        Some(claim) => format!("{claim}: {}", error.reason),
        None => error.reason.to_owned(),
    };
    match error
        .time
        .and_then(|seconds| Timestamp::from_timestamp(seconds, 0))
    {
        Some(time) => format!("{reason}: {}", moment(time, now)),
        None => reason,
    }
}

/// What a good token says about a rule.
fn shown(check: &str, claims: &AccessClaims, now: Timestamp) -> Option<String> {
    let time = |seconds: i64| Some(moment(Timestamp::from_timestamp(seconds, 0)?, now));
    match check {
        "sub" => Some(printable(&claims.sub)),
        "jti" => Some(printable(&claims.jti)),
        "client_id" => claims.client_id.as_deref().map(printable),
        "sid" => Some(printable(&claims.sid)),
        "tenant_id" => Some(printable(&claims.tenant_id)),
        "iss" => Some(printable(&claims.iss)),
        "aud" => Some(match &claims.aud {
            Audience::One(audience) => printable(audience),
            Audience::Many(audiences) => printable(&audiences.join(" ")),
        }),
        "exp" => time(claims.exp),
        "nbf" => claims.nbf.and_then(time),
        "iat" => time(claims.iat),
        _ => None,
    }
}

/// Longest text of a token that is shown, in characters.
const MAX_SHOWN: usize = 256;

/// Text of a token on its way to somebody's terminal, which would obey control characters.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { '?' } else { character })
        .take(MAX_SHOWN)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_refusal_of_the_verification_has_a_rule_of_its_stage() {
        let error = |stage, claim| TokenError {
            stage,
            claim,
            ..TokenError::unknown_key()
        };
        let named = |error: &TokenError| RULES[position(|rule| rule.is_about(error))].check;
        for (stage, claim, check) in [
            (Form, None, "form"),
            (Header, Some("zip"), "crit"),
            (Header, Some("alg"), "alg"),
            (Header, Some("kid"), "kid"),
            (Header, Some("typ"), "typ"),
            (Encoding, None, "encoding"),
            (Payload, None, "payload"),
            (Key, Some("kid"), "key"),
            (Signature, None, "signature"),
            (Claims, Some("venues"), "claims"),
            (Expectations, Some("iss"), "iss"),
            (Expectations, Some("aud"), "aud"),
            (Expectations, Some("exp"), "exp"),
            (Expectations, Some("nbf"), "nbf"),
            (Expectations, Some("iat"), "iat"),
        ] {
            assert_eq!(named(&error(stage, claim)), check);
        }
        for (refusals, check) in [(Session, "session"), (Account, "account"), (Outdated, "current")] {
            assert_eq!(RULES[position(|rule| rule.refusals == refusals)].check, check);
        }
    }

    #[test]
    fn each_rule_has_a_name_of_its_own() {
        let names: BTreeSet<_> = RULES.iter().map(|rule| rule.check).collect();
        assert_eq!(names.len(), RULES.len());
    }

    #[test]
    fn text_of_a_token_cannot_command_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a?[2Jb?");
        assert_eq!(printable(&"x".repeat(1_000)).len(), MAX_SHOWN);
    }
}
