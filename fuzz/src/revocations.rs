//! Any sequence of answers of the revocation feed, good and bad, as an isolate takes them in.

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Unstructured};
use portcullis_edge::revocations::{Outlook, Revocations, Standing};
use portcullis_shared::claims::AccessClaims;
use portcullis_shared::revocation::{Cursor, Feed};
use uuid::Uuid;

use crate::NOW;
use crate::decide::claims_of;

/// What happens, a few seconds after what happened before.
#[derive(Arbitrary, Debug)]
struct Step {
    after: u16,
    event: Event,
}

#[derive(Arbitrary, Debug)]
enum Event {
    Answer(Answer),
    Body(Vec<u8>),
    Unchanged { created_ago: i8, same_state: bool },
    Failed,
    Refused,
    Passed,
    Renewal,
}

/// An answer with numbers that lie near those that are known.
#[derive(Arbitrary, Debug)]
struct Answer {
    ago: i8,
    signed_for_another_moment: bool,
    epoch: u8,
    seq: u8,
    since: Option<u8>,
    lifetime: u8,
    key_set_version: u8,
    sessions: Vec<u8>,
    subjects: Vec<(u8, i8)>,
}

/// What must be known: the sessions that were told of, each with the moment of the answer.
#[derive(Default)]
struct Model {
    cursor: Option<Cursor>,
    as_of: i64,
    lifetime: i64,
    sessions: BTreeMap<Uuid, i64>,
}

/// A session that was told of stays refused for as long as its tokens may live, and nothing goes back to an older state.
pub fn check(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let mut revocations = Revocations::default();
    let mut model = Model::default();
    let mut now = NOW;
    while let Ok(step) = Step::arbitrary(&mut bytes) {
        if bytes.is_empty() {
            break;
        }
        now += i64::from(step.after) % 1024;
        happen(&mut revocations, &mut model, step.event, now);
        hold(&mut revocations, &mut model, now);
    }
}

fn happen(revocations: &mut Revocations, model: &mut Model, event: Event, now: i64) {
    match event {
        Event::Answer(answer) => {
            let feed = answer.feed(now);
            let created = feed.as_of + i64::from(answer.signed_for_another_moment);
            let told = feed.clone();
            if revocations.take_in(feed, created, now).is_ok() {
                assert!(!answer.signed_for_another_moment);
                model.take_in(&told);
            }
        }
        Event::Body(body) => {
            if let Some(feed) = Feed::parse(&body) {
                let json = serde_json::to_vec(&feed).expect("a feed is JSON");
                assert_eq!(Feed::parse(&json).as_ref(), Some(&feed));
                let mut other = Revocations::default();
                let created = feed.as_of;
                let _ = other.take_in(feed, created, now);
                let _ = (other.age(now), other.outlook(now), other.position(now));
            }
        }
        Event::Unchanged {
            created_ago,
            same_state,
        } => {
            let created = now - i64::from(created_ago);
            let tag = revocations
                .position(now)
                .filter(|_| same_state)
                .map_or_else(String::new, |(_, tag)| tag);
            if revocations.unchanged(&tag, created, now).is_ok() {
                assert!(same_state);
                model.as_of = model.as_of.max(created);
            }
        }
        Event::Failed => revocations.failed(now),
        Event::Refused => revocations.refused(now),
        Event::Passed => revocations.passed_stale(),
        Event::Renewal => {
            if revocations.begin_renewal(now) {
                assert!(!revocations.begin_renewal(now), "two fetches at once");
            }
        }
    }
}

fn hold(revocations: &mut Revocations, model: &mut Model, now: i64) {
    let Some((cursor, _)) = revocations.position(now) else {
        // Whatever it knew of has expired.
        *model = Model::default();
        return;
    };
    assert!(model.cursor.is_none_or(|before| cursor >= before), "it went back");
    model.cursor = Some(cursor);
    assert!(revocations.age(now).is_none_or(|age| age >= 0));
    match revocations.outlook(now) {
        Outlook::Fresh | Outlook::Ageing => assert!(revocations.age(now).is_some_and(|age| age < 5)),
        Outlook::Due => {}
        Outlook::Stale(age) => assert_eq!(age, revocations.age(now)),
    }
    for (sid, told) in &model.sessions {
        if model.as_of.saturating_sub(*told) <= model.lifetime {
            let claims = AccessClaims {
                sid: sid.to_string(),
                ..claims_of(NOW)
            };
            assert_eq!(
                revocations.standing(&claims),
                Standing::Ended,
                "{sid} was forgotten"
            );
        }
    }
}

impl Answer {
    fn feed(&self, now: i64) -> Feed {
        let id = |byte: &u8| Uuid::from_u128(u128::from(*byte % 16));
        Feed {
            as_of: now - i64::from(self.ago),
            epoch: u64::from(self.epoch % 4),
            seq: u64::from(self.seq),
            since: self.since.map(u64::from),
            lifetime: u32::from(self.lifetime) * 8,
            key_set_version: u64::from(self.key_set_version),
            sessions: self.sessions.iter().map(id).collect(),
            subjects: self
                .subjects
                .iter()
                .map(|(subject, ago)| (id(subject), now - i64::from(*ago)))
                .collect(),
        }
    }
}

impl Model {
    fn take_in(&mut self, feed: &Feed) {
        let lifetime = i64::from(feed.lifetime);
        if feed.since.is_none() {
            *self = Self {
                cursor: self.cursor,
                as_of: feed.as_of,
                ..Self::default()
            };
        }
        self.lifetime = self.lifetime.max(lifetime);
        self.as_of = self.as_of.max(feed.as_of);
        let told = self.as_of;
        self.sessions.extend(feed.sessions.iter().map(|sid| (*sid, told)));
    }
}
