//! Whenever the origin dies, everybody gets exactly the mails that are owed to them: none is lost, and none comes of work
//! that was rolled back.
//!
//! It is killed again and again, at moments drawn from a seed, while people register and ask for new passwords, and while it
//! sends their letters to a real mail server. `PORTCULLIS_TEST_KILLS` says how often; `--nocapture` shows the count.

mod evidence;
mod load;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portcullis_tests::eventually;
use portcullis_tests::mail_server::MailServer;
use portcullis_tests::own_stack::{OwnStack, Wanted, portcullis};
use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use tempfile::NamedTempFile;
use tokio::sync::watch;
use xtask::stack::{AUDIENCE, ISSUER, Part};

use evidence::Evidence;
use load::{People, send};

/// Kills in the ordinary run.
const KILLS: usize = 12;
/// What the moments are drawn from.
const SEED: [u8; 32] = *b"whenever the origin dies: mails.";
/// How long an answer, and the next of the queue, may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How one life of the origin ends.
#[derive(Debug)]
struct End {
    after: After,
    /// How long afterwards: long enough to be within the next request, transaction or letter.
    pause: Duration,
    /// Whether the next life begins when the dead is known to be dead, so that it takes over what the dead had begun.
    is_known: bool,
}

#[derive(Debug)]
enum After {
    Answers(usize),
    Letters(usize),
}

impl End {
    fn draw(random: &mut TestRng) -> Self {
        let after = if random.random() {
            After::Answers(random.random_range(1..=load::REQUESTS * 3 / 4))
        } else {
            After::Letters(random.random_range(1..=6))
        };
        Self {
            after,
            pause: Duration::from_micros(random.random_range(0..=6000)),
            is_known: random.random(),
        }
    }
}

/// An origin without limits of its clients, whose hashes are cheap, and that hands its letters to this mail server.
fn config(mail: &MailServer) -> NamedTempFile {
    let port = mail.port();
    let toml = format!(
        r#"
        [tokens]
        issuer = "{ISSUER}"
        audience = "{AUDIENCE}"
        rsa_bits = 2048
        [passwords]
        memory_kib = 8192
        iterations = 1
        parallelism = 1
        [limits]
        login_per_minute_client = 1000000
        register_per_5_minutes = 1000000
        register_per_hour = 1000000
        [mail]
        transport = "smtp"
        host = "localhost"
        port = {port}
        tls = "none"
        from = "no-reply@example.com"
        "#
    );
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    file
}

/// Lets people ask and letters leave until the origin is killed.
async fn live_and_die(
    stack: &mut OwnStack,
    mail: &MailServer,
    people: &mut People,
    letters_before: usize,
    random: &mut TestRng,
) {
    let end = End::draw(random);
    let (sender, mut answers) = watch::channel(0);
    let dead = Arc::new(AtomicBool::new(false));
    let wishes = people.wishes(random);
    let sending = tokio::spawn(send(stack.origin(), wishes, sender, Arc::clone(&dead)));
    match end.after {
        After::Answers(count) => {
            let enough = tokio::time::timeout(PATIENCE, answers.wait_for(|answers| *answers >= count));
            enough.await.expect("answers in time").expect("answers");
        }
        After::Letters(count) => mail.await_count(letters_before + count).await,
    }
    tokio::time::sleep(end.pause).await;
    dead.store(true, Ordering::SeqCst);
    stack.kill(Part::Origin).await;
    people.note(sending.await.unwrap());
    if end.is_known {
        let_a_minute_pass(stack).await;
    }
}

/// As the other replicas see it, which take a silent one for dead after a minute, all those that were killed have been silent
/// for that long.
async fn let_a_minute_pass(stack: &OwnStack) {
    stack
        .sql(
            "UPDATE graphile_worker._private_workers
             SET last_heartbeat_at = last_heartbeat_at - interval '1 minute'",
        )
        .await;
}

/// Waits until the queue is empty. After many lives it is long; what counts is that it gets shorter.
async fn work_off(stack: &OwnStack) {
    let waiting = async || {
        let count = stack
            .sql(
                "SELECT count(*) FROM graphile_worker.jobs
                 WHERE task_identifier IN ('send_mail', 'answer_reset_request')",
            )
            .await;
        count.as_u64().unwrap()
    };
    let mut left = waiting().await;
    while left > 0 {
        left = eventually("the queue is shorter", PATIENCE, async || {
            let now = waiting().await;
            (now < left).then_some(now)
        })
        .await;
    }
}

#[tokio::test]
async fn no_mail_is_lost_and_none_invented_whenever_the_origin_dies() {
    let kills = std::env::var("PORTCULLIS_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mail = MailServer::start().await;
    let config = config(&mail);
    let mut wanted = Wanted::origin();
    wanted.origin_settings = vec![(
        "PORTCULLIS_CONFIG".to_owned(),
        config.path().display().to_string(),
    )];
    let mut stack = wanted.start("kills").await;
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    let mut people = People::new();
    let mut letters_before = 0;
    for _ in 0..kills {
        live_and_die(&mut stack, &mail, &mut people, letters_before, &mut random).await;
        letters_before = mail.count();
        stack.start(Part::Origin).await;
    }

    // The last one lives. It takes over once all the dead are known to be.
    stack.stop(Part::Origin).await;
    let_a_minute_pass(&stack).await;
    stack.start(Part::Origin).await;
    work_off(&stack).await;
    stack.stop(Part::Origin).await;

    let evidence = Evidence::gather(&stack, &people.sent, mail.finish().await).await;
    println!("{kills} kills\n{evidence}");
    evidence.assert_exact();
    let verified = portcullis(stack.state_dir(), &["audit", "verify"]).await;
    assert!(verified.status.success(), "{verified:?}");
}
