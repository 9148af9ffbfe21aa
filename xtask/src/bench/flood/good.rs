//! People who use what is flooded.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bench::http::Client;

const PASSWORD: &str = "quiet harbour lantern 94";
/// From one request to the next: below every limit, if not by much.
const PACE: Duration = Duration::from_millis(700);
/// Every so many requests, somebody signs in anew.
const SIGN_IN_EVERY: usize = 16;
/// Every so many requests, somebody asks the origin itself.
const ORIGIN_EVERY: usize = 4;

/// What somebody wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// Something of the upstream.
    Upstream,
    /// Something of the origin.
    Origin,
    /// A new session.
    SignIn,
}

/// A request, and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) errand: Errand,
    /// When, since the beginning.
    pub(super) at: Duration,
    pub(super) millis: f64,
    /// 0 where the connection broke.
    pub(super) status: u16,
}

impl Asked {
    pub(super) const fn is_served(&self) -> bool {
        self.status == 200
    }

    pub(super) fn is_between(&self, from: Duration, to: Duration) -> bool {
        (from..to).contains(&self.at)
    }
}

/// Somebody with an account and an address of their own.
#[derive(Clone, Debug)]
pub(super) struct Person {
    email: String,
    address: String,
    token: String,
    /// How many requests later than others they sign in.
    offset: usize,
}

impl Person {
    /// Makes the account, through the edge.
    pub(super) fn register(edge: u16, number: usize) -> Result<Self> {
        let mut person = Self {
            email: format!("person-{number}@bench.example"),
            address: format!("198.51.100.{}", number + 1),
            token: String::new(),
            offset: number,
        };
        let account = json!({
            "email": person.email, "password": PASSWORD, "firstName": "Bench", "lastName": "Person",
        });
        let mut client = Client::connect(edge)?;
        let answer = client.send(
            "POST",
            "/auth/register",
            &person.posting(),
            Some(&account.to_string()),
        )?;
        if answer.status != 201 {
            bail!(
                "the edge answers {} to a registration: {}",
                answer.status,
                answer.body
            );
        }
        let result: Value = serde_json::from_str(&answer.body).context("the login result is no JSON")?;
        let token = result.pointer("/tokens/accessToken").and_then(Value::as_str);
        token
            .context("the login result has no access token")?
            .clone_into(&mut person.token);
        Ok(person)
    }

    /// The access token alone.
    pub(super) fn into_token(self) -> String {
        self.token
    }

    /// Goes about their business until it is over.
    pub(super) fn use_it(
        &self,
        edge: u16,
        began: Instant,
        is_over: &impl Fn() -> bool,
    ) -> Result<Vec<Asked>> {
        let mut client = Client::connect(edge)?;
        let mut all = Vec::new();
        for turn in self.offset.. {
            if is_over() {
                break;
            }
            let errand = match turn {
                turn if turn % SIGN_IN_EVERY == SIGN_IN_EVERY - 1 => Errand::SignIn,
                turn if turn % ORIGIN_EVERY == 0 => Errand::Origin,
                _ => Errand::Upstream,
            };
            let at = began.elapsed();
            let asked = Instant::now();
            let status = self.ask(&mut client, errand).unwrap_or_default();
            let millis = asked.elapsed().as_secs_f64() * 1e3;
            all.push(Asked {
                errand,
                at,
                millis,
                status,
            });
            if status == 0 {
                client = Client::connect(edge)?;
            }
            thread::sleep(PACE);
        }
        Ok(all)
    }

    fn ask(&self, client: &mut Client, errand: Errand) -> Result<u16> {
        let bearer = format!("Bearer {}", self.token);
        let known = [
            ("CF-Connecting-IP", self.address.as_str()),
            ("Authorization", &bearer),
        ];
        let answer = match errand {
            Errand::Upstream => client.send("GET", "/api/echo", &known, None)?,
            Errand::Origin => client.send("GET", "/auth/me", &known, None)?,
            Errand::SignIn => {
                let body = json!({ "email": self.email, "password": PASSWORD }).to_string();
                client.send("POST", "/auth/login", &self.posting(), Some(&body))?
            }
        };
        Ok(answer.status)
    }

    fn posting(&self) -> [(&str, &str); 2] {
        [
            ("CF-Connecting-IP", self.address.as_str()),
            ("Content-Type", "application/json"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_comes_near_the_limits_of_one_client() {
        let per_minute = 60_000 / PACE.as_millis();
        assert!(per_minute < 100, "{per_minute}");
        assert!(per_minute / SIGN_IN_EVERY as u128 <= 10);
    }

    #[test]
    fn a_request_belongs_to_one_phase() {
        let asked = Asked {
            errand: Errand::Upstream,
            at: Duration::from_mins(1),
            millis: 1.0,
            status: 200,
        };
        let settled = Duration::from_mins(1);
        assert!(asked.is_between(settled, Duration::MAX) && !asked.is_between(Duration::ZERO, settled));
    }
}
