//! Who may do what, as it is asked and changed over HTTP: roles at venues, one's own permissions, and the question of the
//! edge about a venue that a token does not name.
//!
//! Invariants:
//! - What is answered is what the database says at the moment of the request, not what the token says.
//! - A tenant's venues and accounts are seen from within the tenant only: the tenant is the caller's, never the request's.
//! - The edge alone is told of other people's roles without holding any, and its answer is kept by nobody on the way.
//! - This room owns no table, and decides nothing; the rules are those of [`crate::rbac`].

mod edge;
mod model;
mod own;
mod routes;
mod venue_roles;

pub use routes::router;
