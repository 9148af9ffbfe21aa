//! How many venues an access token names.

use portcullis_shared::claims::AccessClaims;
use portcullis_shared::cookies::SessionCookie;

use super::signing_key::SigningKey;

/// Leaves out the last venues of a token that would not fit into a cookie, and says so in it. Which ones is the same each
/// time: venues are in the order of their identifiers.
pub(super) fn fit(claims: &mut AccessClaims, key: &SigningKey) {
    let longest = SessionCookie::Access.longest_value();
    // Claims always serialise; if they did not, signing would say so.
    let length = |claims: &AccessClaims| serde_json::to_vec(claims).map_or(0, |claims| claims.len());
    while key.token_length(length(claims)) > longest && claims.venues.pop_last().is_some() {
        claims.venues_truncated = true;
    }
}
