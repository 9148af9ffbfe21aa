//! What a password must be, how its hash is kept up to date, and accounts that come with a hash.

mod hashes;
mod import;
mod rules;
