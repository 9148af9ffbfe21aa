//! Asking the origin what an account holds at a venue that its token does not name.

use std::rc::Rc;

use portcullis_shared::venue_roles::{MAX_ANSWER_BYTES, RolesThere, VENUE_ROLES_PATH};
use wasm_bindgen_futures::JsFuture;

use super::isolate::Isolate;
use super::{Identity, SharedIdentity, body, host, own};
use crate::config::Config;
use crate::decide::Pass;
use crate::venue_roles::{Question, Turn};

/// How long the origin may take to answer, in milliseconds.
const TIMEOUT_MILLISECONDS: u32 = 500;
/// How soon a request looks again that lets another one ask, in milliseconds.
const LOOK_AGAIN_MILLISECONDS: u32 = 20;
/// How often it does: for as long as the other may take.
const MOST_LOOKS: u32 = TIMEOUT_MILLISECONDS / LOOK_AGAIN_MILLISECONDS;

/// Sees to it that the question is answered, as far as it can be: asks it, or lets the request that asks it finish. What came of
/// it is in the isolate.
pub(super) async fn make_known(isolate: &Isolate, config: &Config, question: &Question) {
    for _ in 0..MOST_LOOKS {
        let now = host::seconds();
        let turn = isolate.venue_roles.borrow_mut().begin(question, now);
        match turn {
            Turn::Look => return,
            Turn::Ask => return ask(isolate, config, question, now).await,
            Turn::Wait => {}
        }
        // The other request's promise must not be waited for; its outcome may be looked at.
        let _kept = JsFuture::from(host::pause(LOOK_AGAIN_MILLISECONDS.into())).await;
    }
}

async fn ask(isolate: &Isolate, config: &Config, question: &Question, asked_at: i64) {
    let answer = fetch(isolate, config, question).await;
    let mut venue_roles = isolate.venue_roles.borrow_mut();
    match answer {
        Ok(RolesThere { roles }) => venue_roles.answered(question, roles, asked_at),
        Err(reason) => {
            venue_roles.failed(question, host::seconds());
            host::log_fault(&serde_json::json!({"event": "venue_roles", "reason": reason}).to_string());
        }
    }
}

async fn fetch(isolate: &Isolate, config: &Config, question: &Question) -> Result<RolesThere, &'static str> {
    let query = question.place.query();
    let asked = own::Question {
        path: VENUE_ROLES_PATH,
        query: Some(&query),
        tag: None,
        timeout: TIMEOUT_MILLISECONDS,
    };
    let response = own::ask(isolate, config, &asked).await?;
    if response.status() != 200 {
        return Err("the origin did not answer 200");
    }
    let body = body::read(&response, MAX_ANSWER_BYTES).await?;
    RolesThere::parse(&body).ok_or("the body is not an answer")
}

/// The same pass with an identity that names what the caller holds at the venue of the route: an application looks for it there,
/// whether or not the token had room for it.
pub(super) fn naming(pass: Pass<'_, SharedIdentity>) -> Pass<'_, SharedIdentity> {
    let (Some(held), Some(identity)) = (&pass.venue_roles, &pass.identity) else {
        return pass;
    };
    let mut claims = identity.0.claims.clone();
    claims.venues.insert(held.venue.clone(), held.roles.clone());
    let identity = Some(SharedIdentity(Rc::new(Identity::of(claims))));
    Pass { identity, ..pass }
}
