//! The row of enumeration: whether the time of an answer tells who has an account.
//!
//! Requests about addresses that have an account and about addresses that have none are sent one after another in one
//! shuffled order, which is the same in each run, so that whatever the machine does meanwhile meets both alike. No address is
//! asked about twice by the same kind of request, and each request comes from a client of its own, so that no limit is met.

mod question;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use sha2::{Digest as _, Sha256};

use super::{
    Plan,
    comparison::{Comparison, Expected},
    http::Client,
    origin::Origin,
    report::Row,
};
use crate::{interrupt, ui, workspace::Workspace};
use question::{Kind, Person, Request};

/// Pairs of requests of each kind that do not count.
const WARM_UP: usize = 10;
/// Time for the mails of one kind of request to be written, before the next kind.
const SETTLE: Duration = Duration::from_secs(3);

/// A hash that costs nothing to check: what a server would do that checks none where there is no account.
const CHEAP: &str =
    "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// A hash as imported accounts have it.
const BCRYPT: &str = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

/// The row. `plan.guesses` is how many requests there are of each kind, about known and about unknown addresses each.
pub(super) fn row(workspace: &Workspace, plan: &Plan) -> Result<Row> {
    let settings = [
        ("REGISTRATION__HIDE_EXISTING", "true"),
        ("HTTP__TRUSTED_PROXIES", "127.0.0.1/32"),
    ];
    let origin = Origin::start(workspace, &settings)?;
    let people = plan.guesses + WARM_UP;
    ui::heading(&format!(
        "Enumeration: making {people} accounts, and asking about as many others"
    ));
    let mut client = Client::connect(origin.port)?;
    for place in 0..people {
        interrupt::check()?;
        Kind::Register
            .about(&Person::Known(place))
            .send(&mut client, 202)?;
    }
    // Nobody who has registered unseen signs in before that.
    origin.sql(workspace, "UPDATE users SET email_verified = true")?;
    let forged = question::forge(&mut client)?;

    let mut comparisons = Vec::new();
    let mut compare = |name: &str, expected, kind: &Kind| -> Result<()> {
        thread::sleep(SETTLE);
        comparisons.push(ask_everybody(origin.port, people, name, expected, kind)?);
        Ok(())
    };
    compare("POST /auth/login, wrong password", Expected::Alike, &Kind::Login)?;
    compare("POST /auth/forgot-password", Expected::Alike, &Kind::Forgot)?;
    compare(
        "POST /auth/register, hide_existing",
        Expected::Alike,
        &Kind::Register,
    )?;
    compare(
        "POST /auth/resend-verification, forged token",
        Expected::Alike,
        &Kind::Resend(forged),
    )?;
    set_hash(&origin, workspace, BCRYPT)?;
    compare(
        "login, imported with bcrypt (decision 24)",
        Expected::Apart,
        &Kind::Login,
    )?;
    set_hash(&origin, workspace, CHEAP)?;
    compare(
        "login, control: no hash to speak of",
        Expected::Apart,
        &Kind::Login,
    )?;
    Ok(Row::Compared {
        title: format!("enumeration, {} requests each", plan.guesses),
        comparisons,
    })
}

/// Gives everybody the same hash.
fn set_hash(origin: &Origin, workspace: &Workspace, hash: &str) -> Result<()> {
    origin.sql(workspace, &format!("UPDATE users SET password_hash = '{hash}'"))
}

/// Asks about as many known as unknown people.
fn ask_everybody(
    port: u16,
    people: usize,
    name: &str,
    expected: Expected,
    kind: &Kind,
) -> Result<Comparison> {
    let mut client = Client::connect(port)?;
    let (warm_up, counted) = (0..WARM_UP, WARM_UP..people);
    for person in shuffled(warm_up) {
        time(&mut client, &kind.about(&person), kind.status())?;
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for person in shuffled(counted) {
        interrupt::check()?;
        let millis = time(&mut client, &kind.about(&person), kind.status())?;
        match person {
            Person::Known(_) => known.push(millis),
            Person::Unknown(_) => unknown.push(millis),
        }
    }
    if known.is_empty() || unknown.is_empty() {
        bail!("nobody was asked about");
    }
    Ok(Comparison {
        name: name.to_owned(),
        expected,
        known,
        unknown,
    })
}

/// How long an answer takes, in milliseconds.
fn time(client: &mut Client, request: &Request, status: u16) -> Result<f64> {
    let began = Instant::now();
    request.send(client, status)?;
    Ok(began.elapsed().as_secs_f64() * 1000.0)
}

/// Known and unknown people of all these places, in an order that looks random and is the same each time.
fn shuffled(places: std::ops::Range<usize>) -> Vec<Person> {
    let mut people: Vec<Person> = places
        .flat_map(|place| [Person::Known(place), Person::Unknown(place)])
        .collect();
    people.sort_by_cached_key(|person| Sha256::digest(format!("{person:?}")));
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_mixed_and_has_everybody_once() {
        let people = shuffled(0..200);
        let mut seen: Vec<String> = people.iter().map(|person| format!("{person:?}")).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 400);
        let first = people[..200]
            .iter()
            .filter(|person| matches!(person, Person::Known(_)));
        assert!((70..=130).contains(&first.count()));
    }
}
