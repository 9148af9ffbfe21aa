//! Requests to other servers.

use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;

/// No client could be made.
#[derive(Debug, thiserror::Error)]
#[error("requests to other servers cannot be set up")]
pub struct HttpClientError(#[from] reqwest::Error);

/// A client that trusts the system's certificates, follows no redirect, goes by no proxy of the environment, and gives up on a
/// request, its answer included, after `limit`.
pub fn new(limit: Duration) -> Result<Client, HttpClientError> {
    let client = Client::builder()
        .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .timeout(limit)
        .build()?;
    Ok(client)
}
