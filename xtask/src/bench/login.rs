//! The row of signing in: the real origin on its own Postgres and Redis, against its hasher alone.

use std::path::Path;

use anyhow::{Result, bail};

use super::{
    Plan, contest,
    drive::{Call, Contestant},
    hashing,
    origin::{Origin, login_body},
    report::{Goal, Row},
};
use crate::workspace::Workspace;

const OURS: &str = "Portcullis origin, POST /auth/login";
const IDEAL: &str = "cores / one hash: its hasher alone";

/// The row of sign-ins per second; both contestants run in turns, on the same cores.
pub(super) fn row(workspace: &Workspace, plan: &Plan, hash_rate: &Path) -> Result<Row> {
    let origin = Origin::start(workspace, &[])?;
    let callers = 2 * hashing::cores();
    origin.register_all(callers)?;
    let mut ours = Contestant {
        name: OURS,
        port: origin.port,
        pid: origin.pid,
        calls: (0..callers).map(sign_in).collect(),
    };
    ours.run(plan.warm_up)?;
    let series = contest::run("Sign-ins", &[OURS, IDEAL], plan.rounds, |place, _| match place {
        0 => ours.run(plan.hashing),
        _ => hashing::ours(workspace, hash_rate, plan.hashing),
    })?;
    Ok(Row::contest(
        &format!("origin sign-in, {callers} callers"),
        "sign-ins",
        vec![Goal::at_least(0.95, IDEAL)],
        series,
    ))
}

/// A caller signs in to an account of its own, again and again.
fn sign_in(caller: usize) -> Call {
    let body = login_body(caller);
    Box::new(move |client| {
        let answer = client.post("/auth/login", &body)?;
        if answer.status != 200 {
            bail!(
                "the origin answers {} to a sign-in: {}",
                answer.status,
                answer.body
            );
        }
        Ok(())
    })
}
