//! A registered account and what it can do.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::client::Client;
use crate::fresh_id;
use crate::world::Door;

/// Somebody who has just registered, with a session.
#[derive(Clone, Debug)]
pub struct Account {
    /// The visitor who registered.
    pub client: Client,
    /// The address it registered with.
    pub email: String,
    /// Its password.
    pub password: String,
    /// The `login result` of the registration.
    pub result: Value,
}

impl Account {
    /// Registers a new account at `door`.
    pub async fn register(door: &Door) -> Self {
        let client = door.client();
        let (email, password) = (fresh_email(), fresh_password());
        let answer = client
            .post("/auth/register")
            .json(&registration(&email, &password))
            .send()
            .await;
        let result = answer.expect(201).json();
        Self {
            client,
            email,
            password,
            result,
        }
    }

    /// The access token of the registration.
    #[must_use]
    pub fn access_token(&self) -> &str {
        self.result["tokens"]["accessToken"]
            .as_str()
            .expect("an access token")
    }

    /// The refresh token of the registration.
    #[must_use]
    pub fn refresh_token(&self) -> &str {
        self.result["tokens"]["refreshToken"]
            .as_str()
            .expect("a refresh token")
    }

    /// The account's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.result["user"]["id"].as_str().expect("an id")
    }

    /// Logs in once more, with a session of its own.
    pub async fn login(&self) -> Answer {
        let body = json!({"email": self.email, "password": self.password});
        self.client.post("/auth/login").json(&body).send().await
    }

    /// Asks who the holder of this access token is.
    pub async fn me(&self, access_token: &str) -> Answer {
        self.client.get("/auth/me").bearer(access_token).send().await
    }

    /// Presents a refresh token.
    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.client
            .post("/auth/refresh")
            .json(&json!({"refreshToken": refresh_token}))
            .send()
            .await
    }
}

/// An address that nobody has used.
#[must_use]
pub fn fresh_email() -> String {
    format!("visitor-{}@example.com", fresh_id().simple())
}

/// A password that nobody guesses, and that a search of the logs would find.
#[must_use]
pub fn fresh_password() -> String {
    format!("mossy lantern {}", fresh_id().simple())
}

/// What a registration sends.
#[must_use]
pub fn registration(email: &str, password: &str) -> Value {
    json!({"email": email, "password": password, "firstName": "Ada", "lastName": "Lovelace"})
}

/// The refresh token in an answer of login, registration or refresh.
///
/// # Panics
///
/// When there is none.
#[must_use]
pub fn refresh_token_in(answer: &Answer) -> String {
    answer.json()["tokens"]["refreshToken"]
        .as_str()
        .expect("a refresh token")
        .to_owned()
}

/// The access token in an answer of login, registration or refresh.
///
/// # Panics
///
/// When there is none.
#[must_use]
pub fn access_token_in(answer: &Answer) -> String {
    answer.json()["tokens"]["accessToken"]
        .as_str()
        .expect("an access token")
        .to_owned()
}

/// The header and the claims of a token, unverified.
///
/// # Panics
///
/// When it is no JWT.
#[must_use]
pub fn decode(token: &str) -> (Value, Value) {
    let part = |text: &str| serde_json::from_slice(&Base64UrlUnpadded::decode_vec(text).unwrap()).unwrap();
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "a compact JWS has three parts");
    (part(parts[0]), part(parts[1]))
}
