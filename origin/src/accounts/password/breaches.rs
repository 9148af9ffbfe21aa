//! Whether a password is known to have been stolen, asked without telling it: the service hears the first five hexadecimal
//! digits of its SHA-1 and answers with all that begin so (k-anonymity, as Have I Been Pwned has it).

use std::fmt;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use reqwest::Client;

use crate::kernel::causes;
use crate::kernel::config::BreachesConfig;
use crate::kernel::http_client::{self, HttpClientError};
use crate::kernel::passwords::Password;

/// How many digits are told. A million prefixes, so that each has hundreds of passwords behind it.
const TOLD: usize = 5;
/// More than any prefix has, padding included. An answer that is longer is none.
const MOST_BYTES: usize = 256 * 1024;

/// A service that knows stolen passwords. Cloning shares its connections.
#[derive(Clone)]
pub(super) struct BreachedPasswords {
    client: Client,
    url: String,
}

/// Why the service has not answered.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    #[error("the answer is too long")]
    TooLong,
    #[error("the answer is not text")]
    NoText,
}

impl BreachedPasswords {
    pub(super) fn new(config: &BreachesConfig) -> Result<Self, HttpClientError> {
        Ok(Self {
            client: http_client::new(config.timeout)?,
            url: config.url.clone(),
        })
    }

    /// Whether the password is among them. A service that does not answer in time knows of none: it must not be able to
    /// keep people from registering.
    pub(super) async fn contain(&self, password: &Password) -> bool {
        // Nothing but the service's own protocol asks for SHA-1; what is protected by it is the privacy of five digits.
        let digits = hex::encode_upper(digest(&SHA1_FOR_LEGACY_USE_ONLY, password.expose().as_bytes()));
        let Some((told, kept)) = digits.split_at_checked(TOLD) else {
            return false;
        };
        match self.ask(told).await {
            Ok(answer) => is_listed(&answer, kept),
            Err(error) => {
                tracing::warn!(
                    cause = causes::on_one_line(&error),
                    "stolen passwords cannot be asked about: the password was taken without that"
                );
                false
            }
        }
    }

    async fn ask(&self, told: &str) -> Result<String, NoAnswer> {
        // The padding hides from whoever sees the traffic how long the answer is, and so which prefix it is for.
        let request = self
            .client
            .get(format!("{}{told}", self.url))
            .header("Add-Padding", "true");
        // An error names the URL, which ends in digits of the password's digest.
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        let mut answer = answer.map_err(reqwest::Error::without_url)?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
            if body.len().saturating_add(part.len()) > MOST_BYTES {
                return Err(NoAnswer::TooLong);
            }
            body.extend_from_slice(&part);
        }
        String::from_utf8(body).map_err(|_| NoAnswer::NoText)
    }
}

/// Whether the rest of a digest is among the lines `REST:COUNT`. Padding has the count 0.
fn is_listed(answer: &str, rest: &str) -> bool {
    answer.lines().any(|line| {
        line.split_once(':').is_some_and(|(listed, count)| {
            listed.trim().eq_ignore_ascii_case(rest) && count.trim().bytes().any(|digit| digit != b'0')
        })
    })
}

impl fmt::Debug for BreachedPasswords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreachedPasswords").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_count_lists_a_digest_and_padding_does_not() {
        let answer =
            "0018A45C4D1DEF81644B54AB7F969B88D65:1\r\n00D4F6E8FA6EECAD2A3AA415EEC418D38EC:0\r\nnonsense";
        assert!(is_listed(answer, "0018A45C4D1DEF81644B54AB7F969B88D65"));
        assert!(is_listed(answer, "0018a45c4d1def81644b54ab7f969b88d65"));
        assert!(!is_listed(answer, "00D4F6E8FA6EECAD2A3AA415EEC418D38EC"));
        assert!(!is_listed(answer, "00000000000000000000000000000000000"));
        assert!(!is_listed("", ""));
    }
}
