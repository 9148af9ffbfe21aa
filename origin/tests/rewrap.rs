//! A new master key: everything that is sealed moves to it, batch by batch, and can be stopped anywhere.

use base64ct::{Base64, Encoding as _};
use futures_util::FutureExt as _;
use portcullis_origin::kernel::clock::{Clock as _, SystemClock};
use portcullis_origin::kernel::random::{self, SystemEntropy};
use portcullis_origin::kernel::secrets::{MasterKey, SecretBytes, SecretsError};
use portcullis_origin::kernel::time::TimeDelta;
use portcullis_origin::{sessions, tokens};
use reqwest::StatusCode;

use crate::common::{Settings, TestServer};
use crate::fixtures::{Person, count, execute, me, refresh, register, without_limits};
use crate::second_factor::{self, Ada};
use crate::startup::{err, out, run, settings};

const MASTER_KEY: &str = "PORTCULLIS__SECRETS__MASTER_KEY";
const MASTER_KEY_ID: &str = "PORTCULLIS__SECRETS__MASTER_KEY_ID";
const OLD_MASTER_KEY: &str = "PORTCULLIS__SECRETS__OLD_MASTER_KEYS__1";

/// An installation under the master key 1, with somebody signed in and five signing keys, and the two master keys.
struct Installation {
    server: TestServer,
    person: Person,
    old: String,
    new: String,
}

impl Installation {
    async fn start() -> Self {
        let [old, new] = [(); 2].map(|()| Base64::encode_string(&random::bytes::<32>(&SystemEntropy)));
        let server = TestServer::start_with(|settings| {
            without_limits(settings);
            settings.insert(MASTER_KEY.into(), old.clone());
        })
        .await;
        let person = register(&server, "ada@example.com").await;
        let core = server.app.core();
        let keeper = tokens::KeyKeeper::new(
            &core.config().tokens,
            core.pool().clone(),
            core.config().master_key.clone(),
        );
        for _ in 0..4 {
            keeper
                .rotate(true, core.clock().now(), &SystemEntropy)
                .await
                .unwrap();
        }
        Self {
            server,
            person,
            old,
            new,
        }
    }

    fn url(&self) -> &str {
        self.server.database.as_ref().unwrap().url()
    }

    /// The settings of the command line once the new master key is there, with the old one beside it or without.
    fn command_line(&self, with_old: bool) -> Vec<(String, String)> {
        let mut settings = settings(self.url());
        settings.retain(|(name, _)| name != MASTER_KEY);
        settings.push((MASTER_KEY.into(), self.new.clone()));
        settings.push((MASTER_KEY_ID.into(), "2".into()));
        if with_old {
            settings.push((OLD_MASTER_KEY.into(), self.old.clone()));
        }
        settings
    }

    /// Another server on the same database under the new master key.
    async fn restarted(&self, with_old: bool) -> TestServer {
        TestServer::start_on(self.url(), |settings: &mut Settings| {
            without_limits(settings);
            settings.insert(MASTER_KEY.into(), self.new.clone());
            settings.insert(MASTER_KEY_ID.into(), "2".into());
            if with_old {
                settings.insert(OLD_MASTER_KEY.into(), self.old.clone());
            }
        })
        .await
    }

    /// The new master key with the old one beside it.
    fn master(&self) -> MasterKey {
        let secret = |text: &str| SecretBytes::new(Base64::decode_vec(text).unwrap());
        MasterKey::with_others("2", secret(&self.new), [("1".to_owned(), secret(&self.old))]).unwrap()
    }

    async fn left(&self) -> (i64, i64) {
        (
            count(
                &self.server,
                "SELECT count(*) FROM signing_keys WHERE master_key_id = '1'",
            )
            .await,
            count(
                &self.server,
                "SELECT count(*) FROM secret_keys WHERE master_key_id = '1'",
            )
            .await,
        )
    }
}

async fn moved(installation: &Installation) -> i64 {
    let sql = "SELECT coalesce(sum((detail ->> 'rows')::bigint), 0)::bigint FROM audit_events
               WHERE type = 'secrets_rewrapped' AND detail ->> 'masterKeyId' = '2'";
    count(&installation.server, sql).await
}

#[tokio::test]
async fn everything_moves_to_the_new_master_key_and_the_old_one_may_go() {
    let installation = Installation::start().await;
    assert_eq!(installation.left().await, (5, 1));
    // Before anything has moved, the server opens what the old key has sealed, and seals with the new one.
    let between = installation.restarted(true).await;
    assert_eq!(
        me(&between, &installation.person.access).await.status(),
        StatusCode::OK
    );
    let token = refresh(&between, &installation.person.refresh).await;

    let done = run(
        &["keys", "rewrap", "--batch", "2"],
        &installation.command_line(true),
    )
    .await;
    assert_eq!(done.status.code(), Some(0), "{}{}", out(&done), err(&done));
    for line in [
        "signing_keys: 2 moved so far\n",
        "signing_keys: 5 moved, 0 not\n",
        "secret_keys: 1 moved, 0 not\n",
        "everything is under the master key 2\n",
    ] {
        assert!(out(&done).contains(line), "{line:?}: {}", out(&done));
    }
    assert_eq!(installation.left().await, (0, 0));
    assert_eq!(moved(&installation).await, 6);

    let after = installation.restarted(false).await;
    assert_eq!(
        me(&after, &installation.person.access).await.status(),
        StatusCode::OK
    );
    let token = refresh(&after, &token).await;
    register(&after, "grace@example.com").await;
    assert_eq!(
        me(&between, &installation.person.access).await.status(),
        StatusCode::OK
    );
    refresh(&between, &token).await;

    let again = run(&["keys", "rewrap"], &installation.command_line(false)).await;
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(moved(&installation).await, 6, "there was nothing to tell");
}

#[tokio::test]
async fn a_rewrap_that_was_stopped_halfway_is_taken_up_again() {
    let installation = Installation::start().await;
    let (pool, master) = (installation.server.app.core().pool(), installation.master());
    let now = SystemClock.now();
    let mut after = String::new();
    for _ in 0..2 {
        let batch = tokens::rewrap(pool, &master, &after, 1, now, &SystemEntropy)
            .await
            .unwrap();
        assert_eq!((batch.rewrapped, batch.unopened.len()), (1, 0));
        after = batch.last.unwrap();
    }
    // A third one was cut off before it was committed.
    let cut_off = tokens::rewrap(pool, &master, &after, 1, now, &SystemEntropy).now_or_never();
    assert!(cut_off.is_none(), "it was not begun, or done at once");
    assert_eq!(
        (installation.left().await, moved(&installation).await),
        ((3, 1), 2)
    );
    let both = installation.restarted(true).await;
    assert_eq!(
        me(&both, &installation.person.access).await.status(),
        StatusCode::OK
    );

    let done = run(
        &["keys", "rewrap", "--batch", "1"],
        &installation.command_line(true),
    )
    .await;
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    assert!(
        out(&done).contains("signing_keys: 3 moved, 0 not"),
        "{}",
        out(&done)
    );
    assert_eq!(
        (installation.left().await, moved(&installation).await),
        ((0, 0), 6)
    );
    let after = installation.restarted(false).await;
    assert_eq!(
        me(&after, &installation.person.access).await.status(),
        StatusCode::OK
    );
    refresh(&after, &installation.person.refresh).await;
}

#[tokio::test]
async fn two_rewraps_at_once_move_each_row_once() {
    let installation = Installation::start().await;
    let (pool, master) = (installation.server.app.core().pool(), installation.master());
    let now = SystemClock.now();
    let (one, two) = tokio::join!(
        tokens::rewrap(pool, &master, "", 100, now, &SystemEntropy),
        tokens::rewrap(pool, &master, "", 100, now, &SystemEntropy),
    );
    assert_eq!(one.unwrap().rewrapped + two.unwrap().rewrapped, 5);
    let (one, two) = tokio::join!(
        sessions::rewrap(pool, &master, "", 100, now, &SystemEntropy),
        sessions::rewrap(pool, &master, "", 100, now, &SystemEntropy),
    );
    assert_eq!(one.unwrap().rewrapped + two.unwrap().rewrapped, 1);
    assert_eq!(
        (installation.left().await, moved(&installation).await),
        ((0, 0), 6)
    );
}

#[tokio::test]
async fn an_authenticator_app_and_its_backup_codes_outlive_the_master_key() {
    let installation = Installation::start().await;
    execute(&installation.server, "DELETE FROM users").await;
    let ada = Ada::with_app(&installation.server).await;
    let done = run(&["keys", "rewrap"], &installation.command_line(true)).await;
    assert_eq!(done.status.code(), Some(0), "{}{}", out(&done), err(&done));
    assert!(
        out(&done).contains("totp_factors: 1 moved, 0 not\n"),
        "{}",
        out(&done)
    );

    let after = installation.restarted(false).await;
    after.clock.advance(TimeDelta::minutes(1));
    for (method, code) in [
        ("totp", ada.app.code(&after)),
        ("backup_code", ada.backup_codes[0].clone()),
    ] {
        let token = second_factor::challenged(&after).await;
        let answered = second_factor::answer(&after, &token, method, &code).await;
        assert_eq!(answered.status(), StatusCode::OK, "{method}");
    }
}

#[tokio::test]
async fn rows_that_do_not_open_are_named_and_left_as_they_are() {
    let installation = Installation::start().await;
    execute(
        &installation.server,
        "UPDATE signing_keys SET kid = 'lost', master_key_id = '7' WHERE state = 'active';
         UPDATE signing_keys SET kid = 'torn', private_sealed = '\\x00'
         WHERE kid = (SELECT max(kid) FROM signing_keys WHERE state = 'retired');
         UPDATE secret_keys SET master_key_id = '8'",
    )
    .await;
    let batch = tokens::rewrap(
        installation.server.app.core().pool(),
        &installation.master(),
        "los",
        1,
        SystemClock.now(),
        &SystemEntropy,
    )
    .await
    .unwrap();
    assert_eq!(batch.unopened[0].reason, SecretsError::OtherKey);

    let failed = run(
        &["keys", "rewrap", "--batch", "1"],
        &installation.command_line(true),
    )
    .await;
    assert_eq!(failed.status.code(), Some(1), "{}", out(&failed));
    for line in [
        "signing_keys/lost stays under the master key 7: the secret was sealed under another master key\n",
        "signing_keys/torn stays under the master key 1: the sealed secret does not open\n",
        "stays under the master key 8",
        "signing_keys: 3 moved, 2 not\n",
        "3 rows are left under other master keys\n",
    ] {
        assert!(out(&failed).contains(line), "{line:?}: {}", out(&failed));
    }
    let untouched = "SELECT count(*) FROM signing_keys WHERE kid = 'lost' AND master_key_id = '7'
                     OR kid = 'torn' AND master_key_id = '1' AND private_sealed = '\\x00'";
    assert_eq!(count(&installation.server, untouched).await, 2);
    assert_eq!(moved(&installation).await, 3);
}

#[tokio::test]
async fn without_the_old_master_key_nothing_is_moved_and_nothing_is_lost() {
    let installation = Installation::start().await;
    let failed = run(&["keys", "rewrap"], &installation.command_line(false)).await;
    assert_eq!(failed.status.code(), Some(1));
    assert!(out(&failed).contains("6 rows are left"), "{}", out(&failed));
    assert_eq!(installation.left().await, (5, 1));
    assert_eq!(
        me(&installation.server, &installation.person.access)
            .await
            .status(),
        StatusCode::OK
    );
}
