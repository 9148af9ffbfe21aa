//! A form as the body of a request: what OAuth's endpoints for machines take (RFC 6749 appendix B).

use std::collections::BTreeMap;
use std::fmt;

use axum::extract::{FromRef, FromRequest, Request};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::body::bounded;
use super::problem::Problem;
use super::state::AppState;

/// What stands where bytes were not UTF-8.
const REPLACEMENT: char = '\u{fffd}';

/// A body of `application/x-www-form-urlencoded`, bounded in size and time like any other; an extractor.
pub struct Form(Zeroizing<Vec<u8>>);

/// The parameters of a form, each name once. Any of them may be a secret.
pub struct Parameters(BTreeMap<String, SecretString>);

/// Why a form cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedForm {
    /// It holds NUL, or bytes that are not UTF-8.
    #[error("the form holds something that is not text")]
    NotText,
    /// A name stands in it twice, so that two readers could see different values.
    #[error("the form has a parameter twice")]
    Repeated,
}

impl Form {
    /// Reads the parameters.
    pub fn parameters(&self) -> Result<Parameters, MalformedForm> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(&self.0) {
            if [&name, &value]
                .iter()
                .any(|text| text.contains(['\0', REPLACEMENT]))
            {
                return Err(MalformedForm::NotText);
            }
            let value = SecretString::from(value.into_owned());
            if parameters.insert(name.into_owned(), value).is_some() {
                return Err(MalformedForm::Repeated);
            }
        }
        Ok(Parameters(parameters))
    }
}

impl<S> FromRequest<S> for Form
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let media_type = "application/x-www-form-urlencoded";
        bounded(request, media_type, &AppState::from_ref(state))
            .await
            .map(Self)
    }
}

impl Parameters {
    /// Takes a parameter out. One without a value counts as left out (RFC 6749 §3.1).
    pub fn take(&mut self, name: &str) -> Option<SecretString> {
        self.0
            .remove(name)
            .filter(|value| !value.expose_secret().is_empty())
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Form(redacted)")
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parameters(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Parameters, MalformedForm> {
        Form(Zeroizing::new(body.as_bytes().to_vec())).parameters()
    }

    fn value(body: &str, name: &str) -> Option<String> {
        read(body)
            .unwrap()
            .take(name)
            .map(|value| value.expose_secret().to_owned())
    }

    #[test]
    fn names_and_values_are_decoded() {
        assert_eq!(value("a=1&b+c=%C3%A9+%2B", "b c").as_deref(), Some("é +"));
        assert_eq!(value("token=a%26b%3Dc", "token").as_deref(), Some("a&b=c"));
    }

    #[test]
    fn a_parameter_without_a_value_counts_as_left_out() {
        for body in ["", "token", "token=", "other=1"] {
            assert_eq!(value(body, "token"), None, "{body}");
        }
    }

    #[test]
    fn a_parameter_that_comes_twice_is_refused_however_it_is_spelled() {
        for body in [
            "token=a&token=a",
            "token=a&to%6Ben=b",
            "token=&token=b",
            "x=1&y=2&x=",
        ] {
            assert_eq!(read(body).err(), Some(MalformedForm::Repeated), "{body}");
        }
    }

    #[test]
    fn what_is_not_text_is_refused_wherever_it_stands() {
        for body in [
            "token=%00",
            "%00=1",
            "token=a%FFb",
            "token=%C3",
            "other=%ED%A0%80&token=a",
        ] {
            assert_eq!(read(body).err(), Some(MalformedForm::NotText), "{body}");
        }
    }

    #[test]
    fn no_value_shows_in_debug_output() {
        let parameters = read("token=hunter2").unwrap();
        assert!(!format!("{parameters:?}").contains("hunter2"));
    }
}
