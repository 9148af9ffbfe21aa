//! The rows of "Errors" in the contract, and input that no honest client sends: a precise 4xx, at both doors.

mod bodies;
mod paths;
mod verbs_and_headers;

use portcullis_tests::answer::Answer;
use portcullis_tests::world::Door;

/// After whatever a test did, both doors serve the next visitor.
async fn all_is_well() {
    for door in Door::both() {
        door.client().get("/live").send().await.expect(200);
    }
}

/// Holds an answer, which may be the platform's own, to be a refusal that blames the client.
#[track_caller]
fn assert_refused(what: &str, answer: Option<&Answer>) {
    let answer = answer.unwrap_or_else(|| panic!("{what}: the connection ended without an answer"));
    assert!(answer.status.is_client_error(), "{what}: {answer:?}");
}
