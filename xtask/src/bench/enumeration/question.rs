//! Requests that might tell who has an account.

use anyhow::{Context, Result, bail};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::http::{Answer, Client};

const PASSWORD: &str = "quiet harbour lantern 94";
const WRONG_PASSWORD: &str = "quiet harbour lantern 95";

/// Whom a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Person {
    /// They have an account.
    Known(usize),
    /// They have none.
    Unknown(usize),
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Login,
    Forgot,
    Register,
    /// With these tokens, which nobody has signed.
    Resend(Forged),
}

/// Tokens that differ in whom they name.
#[derive(Clone, Debug)]
pub(super) struct Forged {
    known: String,
    unknown: String,
}

/// A request that is ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Request {
    path: &'static str,
    token: Option<String>,
    body: Value,
    /// `X-Forwarded-For`.
    client: String,
}

impl Person {
    /// Addresses are of the same length, and so is all that is sent about them.
    fn email(self, kind: &Kind) -> String {
        let (known, place) = match self {
            Self::Known(place) => (true, place),
            Self::Unknown(place) => (false, place),
        };
        let name = match kind {
            _ if known => "known",
            Kind::Login => "login",
            Kind::Forgot => "forgo",
            Kind::Register => "fresh",
            Kind::Resend(_) => "again",
        };
        format!("{name}-{place:05}@bench.example")
    }

    /// An address from which nobody else asks.
    fn client(self) -> String {
        let (net, place) = match self {
            Self::Known(place) => (1, place),
            Self::Unknown(place) => (2, place),
        };
        format!("10.{net}.{}.{}", place / 256 % 256, place % 256)
    }
}

impl Kind {
    /// The request about this person.
    pub(super) fn about(&self, person: &Person) -> Request {
        let email = person.email(self);
        let (path, token, body) = match self {
            Self::Login => (
                "/auth/login",
                None,
                json!({ "email": email, "password": WRONG_PASSWORD }),
            ),
            Self::Forgot => ("/auth/forgot-password", None, json!({ "email": email })),
            Self::Register => (
                "/auth/register",
                None,
                json!({ "email": email, "password": PASSWORD, "firstName": "Bench", "lastName": "Caller" }),
            ),
            Self::Resend(forged) => {
                let token = match person {
                    Person::Known(_) => &forged.known,
                    Person::Unknown(_) => &forged.unknown,
                };
                ("/auth/resend-verification", Some(token.clone()), json!({}))
            }
        };
        Request {
            path,
            token,
            body,
            client: person.client(),
        }
    }

    /// What the answer has to be, whoever it is about.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Login | Self::Resend(_) => 401,
            Self::Forgot | Self::Register => 202,
        }
    }
}

impl Request {
    /// Sends it. Any other status is an error.
    pub(super) fn send(&self, client: &mut Client, status: u16) -> Result<Answer> {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = vec![
            ("Content-Type", "application/json"),
            ("X-Forwarded-For", self.client.as_str()),
        ];
        if let Some(bearer) = &bearer {
            headers.push(("Authorization", bearer));
        }
        let answer = client.send("POST", self.path, &headers, Some(&self.body.to_string()))?;
        if answer.status != status {
            bail!(
                "{} is answered with {}: {}",
                self.path,
                answer.status,
                answer.body
            );
        }
        Ok(answer)
    }
}

/// Two tokens like that of a known person who signs in, one that names them and one that names nobody. Neither signature
/// is good.
pub(super) fn forge(client: &mut Client) -> Result<Forged> {
    let mut login = Kind::Login.about(&Person::Known(0));
    login.body = json!({ "email": Person::Known(0).email(&Kind::Login), "password": PASSWORD });
    let result: Value = serde_json::from_str(&login.send(client, 200)?.body)?;
    let token = result
        .pointer("/tokens/accessToken")
        .and_then(Value::as_str)
        .context("the login result has no token")?;
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        bail!("the token does not have three parts");
    };
    let signature: String = signature.chars().rev().collect();
    let claims = Base64UrlUnpadded::decode_vec(claims)
        .ok()
        .and_then(|claims| serde_json::from_slice::<Value>(&claims).ok())
        .context("the claims of the token cannot be read")?;
    let forged = |claims: &Value| {
        let claims = Base64UrlUnpadded::encode_string(claims.to_string().as_bytes());
        format!("{header}.{claims}.{signature}")
    };
    let mut of_nobody = claims.clone();
    *of_nobody.get_mut("sub").context("the token names nobody")? = json!(Uuid::from_u128(7));
    Ok(Forged {
        known: forged(&claims),
        unknown: forged(&of_nobody),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_differ_in_nothing_but_whom_they_are_about() {
        for kind in [Kind::Login, Kind::Forgot, Kind::Register] {
            let [known, unknown] = [Person::Known(12), Person::Unknown(12)].map(|one| kind.about(&one));
            assert_eq!(
                known.body.to_string().len(),
                unknown.body.to_string().len(),
                "{kind:?}"
            );
            assert_ne!(known.body, unknown.body);
            assert_eq!((known.path, &known.token), (unknown.path, &unknown.token));
            assert_eq!(known.client.len(), unknown.client.len());
        }
    }
}
