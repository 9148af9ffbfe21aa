//! The credentials of a service client, as a request carries them (RFC 6749 §2.3.1).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64ct::{Base64, Encoding as _};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::http::Parameters;

use super::error::ClientsError;

/// A client's id and secret, of which nothing is known yet.
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: SecretString,
}

/// What the header `Authorization` holds.
pub(super) enum Authorization {
    /// It is not there.
    Absent,
    /// `client_secret_basic`.
    Basic(Credentials),
    /// A bearer token, or anything else that is not a client's id and secret.
    Unusable,
    /// It is there more than once.
    Repeated,
}

impl Authorization {
    /// Reads the header.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(AUTHORIZATION).into_iter();
        let Some(value) = values.next() else {
            return Self::Absent;
        };
        if values.next().is_some() {
            return Self::Repeated;
        }
        value
            .to_str()
            .ok()
            .and_then(read_basic)
            .map_or(Self::Unusable, Self::Basic)
    }
}

/// `Basic` and base64 (RFC 7617 §2) of id and secret, each encoded as in a form (RFC 6749 §2.3.1).
fn read_basic(header: &str) -> Option<Credentials> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(Base64::decode_vec(encoded.trim_matches(' ')).ok()?);
    let (id, secret) = str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Credentials {
        id: decode_component(id)?,
        secret: decode_component(secret)?.into(),
    })
}

/// One name or value of a form. `&` and `=` would be escaped in one, so that a text with them is none.
fn decode_component(text: &str) -> Option<String> {
    if text.contains(['&', '=']) {
        return None;
    }
    let decoded = form_urlencoded::parse(text.as_bytes()).next()?.0.into_owned();
    (!decoded.is_empty()).then_some(decoded)
}

/// The credentials of a request, from its header or from its form, but not from both. They are taken out of the form.
pub(super) fn find(
    authorization: Authorization,
    parameters: &mut Parameters,
) -> Result<Credentials, ClientsError> {
    let (id, secret) = (parameters.take("client_id"), parameters.take("client_secret"));
    let header = match authorization {
        Authorization::Repeated => {
            return Err(ClientsError::InvalidRequest(
                "The request carries more than one Authorization header.",
            ));
        }
        Authorization::Basic(_) | Authorization::Unusable if secret.is_some() => {
            return Err(ClientsError::InvalidRequest(
                "A client authenticates itself in one way: by the header, or in the form.",
            ));
        }
        Authorization::Unusable => {
            return Err(ClientsError::InvalidClient(
                "The Authorization header does not hold a client's id and secret.",
            ));
        }
        Authorization::Basic(credentials) => Some(credentials),
        Authorization::Absent => None,
    };
    match (header, id, secret) {
        (Some(credentials), Some(id), _) if credentials.id != id.expose_secret() => Err(
            ClientsError::InvalidRequest("The form and the Authorization header name different clients."),
        ),
        (Some(credentials), _, _) => Ok(credentials),
        (None, Some(id), Some(secret)) => Ok(Credentials {
            id: id.expose_secret().to_owned(),
            secret,
        }),
        (None, _, _) => Err(ClientsError::InvalidClient(
            "A service client's id and secret are required.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> String {
        format!("Basic {}", Base64::encode_string(text.as_bytes()))
    }

    fn read(header: &str) -> Option<(String, String)> {
        read_basic(header).map(|credentials| (credentials.id, credentials.secret.expose_secret().to_owned()))
    }

    #[test]
    fn id_and_secret_are_each_encoded_as_in_a_form() {
        for (text, id, secret) in [
            ("api:secret", "api", "secret"),
            ("a%3Ab:c%3Ad", "a:b", "c:d"),
            ("api:a+b%2Bc%25", "api", "a b+c%"),
            ("api:a:b", "api", "a:b"),
        ] {
            assert_eq!(read(&basic(text)), Some((id.into(), secret.into())), "{text}");
        }
        assert!(read(&basic("api:x").replace("Basic", "bAsIc ")).is_some());
    }

    #[test]
    fn what_is_not_an_id_and_a_secret_is_refused() {
        for text in ["", "api", ":secret", "api:", "a&b:secret", "api:a=b"] {
            assert_eq!(read(&basic(text)), None, "{text}");
        }
        for header in [
            "Basic",
            "Basic !",
            "Basic YXBpOng",
            "Bearer YXBpOng=",
            "BasicYXBpOng=",
            "",
        ] {
            assert_eq!(read(header), None, "{header}");
        }
        let not_text = format!("Basic {}", Base64::encode_string(b"api:\xff"));
        assert_eq!(read(&not_text), None);
    }
}
