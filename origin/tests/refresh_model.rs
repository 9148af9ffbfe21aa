//! The chain of refresh tokens in the real store, against a model that remembers everything.

use portcullis_origin::audit::{Event, EventKind};
use portcullis_origin::kernel::ids::{Id as _, TenantId, UserId};
use portcullis_origin::kernel::random::SystemEntropy;
use portcullis_origin::kernel::secrets::{MasterKey, SecretBytes};
use portcullis_origin::kernel::time::{TimeDelta, Timestamp};
use portcullis_origin::sessions::{
    self, Authentication, ChainOwner, Lifetimes, NewSession, Opened, Presented, RevocationReason, Sessions,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use uuid::Uuid;

use crate::common::TestDatabase;

const WINDOW: TimeDelta = TimeDelta::seconds(60);
const IDLE: TimeDelta = TimeDelta::seconds(1_000);
const ABSOLUTE: TimeDelta = TimeDelta::seconds(3_000);

/// What a client, a thief, the holder or the passing of time may do.
#[derive(Clone, Debug)]
enum Step {
    /// Present the token that is so many generations old; 0 is the current one.
    Present(usize),
    /// Present it with one character changed.
    Garble(usize),
    Wait(i64),
    Revoke,
    Purge,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0_usize..2).prop_map(Step::Present),
        2 => (2_usize..5).prop_map(Step::Present),
        2 => (0_usize..3).prop_map(Step::Garble),
        5 => (0_i64..70).prop_map(Step::Wait),
        1 => (70_i64..1_200).prop_map(Step::Wait),
        1 => Just(Step::Revoke),
        1 => Just(Step::Purge),
    ]
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Accepted, and a token that was never seen before was given out.
    New,
    /// Accepted, and the newest token was given out again.
    Again,
    Reused,
    Refused,
}

/// Every token that was given out, with the moment at which it was first.
struct Model {
    given_out: Vec<(String, Timestamp)>,
    ended: bool,
}

impl Model {
    fn is_over(&self, now: Timestamp) -> bool {
        let (first, last) = (self.given_out[0].1, self.given_out[self.given_out.len() - 1].1);
        self.ended || now - last >= IDLE || now - first >= ABSOLUTE
    }

    fn expect(&self, age: usize, now: Timestamp) -> Outcome {
        let newest = self.given_out[self.given_out.len() - 1].1;
        match age {
            _ if self.is_over(now) => Outcome::Refused,
            0 => Outcome::New,
            1 if now - newest < WINDOW => Outcome::Again,
            _ => Outcome::Reused,
        }
    }
}

/// The store, and a session in it.
struct World {
    pool: PgPool,
    sessions: Sessions,
    owner: ChainOwner,
    now: Timestamp,
}

impl World {
    async fn open(pool: &PgPool, now: Timestamp) -> (Self, SecretString) {
        let master = MasterKey::new("1", SecretBytes::new(vec![7; 32])).unwrap();
        let lifetimes = Lifetimes {
            idle: IDLE,
            absolute: ABSOLUTE,
            replay_window: WINDOW,
        };
        let sessions = Sessions::new(master, lifetimes);
        let (tenant_id, user_id) = (
            TenantId::from_uuid(Uuid::from_u128(1)),
            UserId::from_uuid(Uuid::from_u128(0xa1)),
        );
        let new = NewSession {
            user_id,
            tenant_id,
            authentication: Authentication::by_password(now),
            ip_address: [192, 0, 2, 1].into(),
            user_agent: None,
            device_id: None,
            device_name: None,
        };
        let mut transaction = pool.begin().await.unwrap();
        let Opened {
            session,
            refresh_token,
        } = sessions
            .open(&mut transaction, new, now, &SystemEntropy)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        let owner = ChainOwner {
            session_id: session.id,
            tenant_id,
            user_id,
        };
        let world = Self {
            pool: pool.clone(),
            sessions,
            owner,
            now,
        };
        (world, refresh_token)
    }

    /// Does with a token what a login desk does. `newest` is the token that was given out last.
    async fn present(&self, token: &str, newest: &str) -> (Outcome, Option<String>) {
        let mut transaction = self.pool.begin().await.unwrap();
        let presented = self
            .sessions
            .present(&mut transaction, &token.into(), None, self.now)
            .await
            .unwrap();
        let outcome = match presented {
            Presented::Accepted(accepted) => {
                let given = accepted.refresh_token.expose_secret().to_owned();
                let outcome = if given == newest {
                    Outcome::Again
                } else {
                    Outcome::New
                };
                assert_eq!(accepted.replayed, outcome == Outcome::Again);
                (outcome, Some(given))
            }
            Presented::Reused(owner) => {
                assert_eq!(owner, self.owner);
                assert!(
                    self.revoke(&mut transaction, RevocationReason::RefreshTokenReused)
                        .await
                );
                (Outcome::Reused, None)
            }
            Presented::Refused => (Outcome::Refused, None),
        };
        transaction.commit().await.unwrap();
        outcome
    }

    async fn revoke(&self, connection: &mut sqlx::PgConnection, reason: RevocationReason) -> bool {
        let event = Event::of_operator(self.now, &SystemEntropy, EventKind::SessionRevoked);
        sessions::revoke(connection, self.owner, reason, event, self.now)
            .await
            .unwrap()
    }

    async fn is_live(&self) -> bool {
        let ChainOwner {
            session_id,
            tenant_id,
            user_id,
        } = self.owner;
        let mut connection = self.pool.acquire().await.unwrap();
        sessions::find_live(&mut connection, session_id, tenant_id, user_id, self.now)
            .await
            .unwrap()
            .is_some()
    }
}

/// The token with one character of its MAC changed.
fn garbled(token: &str) -> String {
    let (head, mac) = token.rsplit_once('.').unwrap();
    let changed = if mac.starts_with('A') { 'B' } else { 'A' };
    format!("{head}.{changed}{}", &mac[1..])
}

async fn play(pool: &PgPool, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let now = Timestamp::from_timestamp(1_700_000_000, 0).unwrap();
    let (mut world, first) = World::open(pool, now).await;
    let mut model = Model {
        given_out: vec![(first.expose_secret().to_owned(), now)],
        ended: false,
    };
    for step in steps {
        match step {
            Step::Wait(seconds) => world.now += TimeDelta::seconds(seconds),
            Step::Revoke => {
                let mut transaction = pool.begin().await.unwrap();
                let done = world
                    .revoke(&mut transaction, RevocationReason::UserRevoked)
                    .await;
                transaction.commit().await.unwrap();
                prop_assert_eq!(done, !model.is_over(world.now));
                model.ended |= done;
            }
            Step::Purge => {
                let mut connection = pool.acquire().await.unwrap();
                sessions::purge_expired(&mut connection, world.now).await.unwrap();
            }
            Step::Garble(age) | Step::Present(age) if age >= model.given_out.len() => {}
            Step::Garble(age) => {
                let (token, _) = &model.given_out[model.given_out.len() - 1 - age];
                let (outcome, _) = world.present(&garbled(token), token).await;
                prop_assert_eq!(outcome, Outcome::Refused);
            }
            Step::Present(age) => {
                let last = model.given_out.len() - 1;
                let (token, newest) = (&model.given_out[last - age].0, &model.given_out[last].0);
                let (outcome, given) = world.present(token, newest).await;
                prop_assert_eq!(&outcome, &model.expect(age, world.now));
                match (outcome, given) {
                    (Outcome::New, Some(token)) => {
                        prop_assert!(model.given_out.iter().all(|(known, _)| *known != token));
                        model.given_out.push((token, world.now));
                    }
                    (Outcome::Reused, _) => model.ended = true,
                    _ => {}
                }
            }
        }
        prop_assert_eq!(world.is_live().await, !model.is_over(world.now));
    }
    Ok(())
}

#[test]
fn the_store_judges_as_a_complete_history_would() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let database = runtime.block_on(async {
        let database = TestDatabase::create().await;
        let sql = "INSERT INTO users (id, tenant_id, email, first_name, last_name, created_at, updated_at)
                   VALUES ('00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-000000000001',
                           'ada@example.com', 'A', 'L', 'epoch', 'epoch')";
        sqlx::raw_sql(sql).execute(database.pool()).await.unwrap();
        database
    });
    let config = Config {
        cases: 96,
        failure_persistence: None,
        ..Config::default()
    };
    // The same histories each time, so that a failure comes again.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng)
        .run(&prop::collection::vec(step(), 1..25), |steps| {
            runtime.block_on(play(database.pool(), steps))
        })
        .unwrap();
}
