//! A feed that lies, floods, hangs or is gone.

use std::fs;
use std::time::Duration;

use portcullis_tests::account::{Account, access_token_in};
use portcullis_tests::answer::Answer;
use portcullis_tests::eventually;
use portcullis_tests::lying_origin::{Lie, LyingOrigin};
use portcullis_tests::own_stack::Wanted;
use serde_json::Value;
use xtask::stack::Part;

const AGE: &str = "x-auth-revocations-age";

/// The value of a header that the upstream saw, if there was one.
fn seen(answer: &Answer, name: &str) -> Option<String> {
    let seen = answer.json();
    let headers = seen["headers"].as_array().expect("the upstream's answer");
    let found = headers.iter().find(|header| header[0] == name)?;
    Some(found[1].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_feed_that_cannot_be_believed_is_refused_and_counted_and_what_was_known_stays() {
    let between = LyingOrigin::start().await;
    let stack = Wanted::behind(&between).start("lying_feed").await;
    let account = Account::register(&stack.edge()).await;
    let live = access_token_in(&account.login().await.expect(200));
    let ended = account.access_token();
    let echo = |token: &str| account.client.get("/api/echo").bearer(token).send();
    echo(&live).await.expect(200);
    account
        .client
        .post("/auth/logout")
        .bearer(ended)
        .send()
        .await
        .expect(204);
    eventually("the session is over", Duration::from_secs(10), async || {
        (echo(ended).await.status == 401).then_some(())
    })
    .await;

    for lie in [
        Lie::Tampering,
        Lie::Replaying,
        Lie::Flooding,
        Lie::Hanging,
        Lie::Failing,
    ] {
        let before = faults(&stack.log(Part::Edge));
        between.lie(lie);
        let age = eventually(
            "the edge says how stale it is",
            Duration::from_secs(30),
            async || {
                echo(ended).await.problem(401, "invalid_token");
                seen(&echo(&live).await.expect(200), AGE)
            },
        )
        .await;
        assert!(age.parse::<u64>().unwrap() >= 5, "{lie:?}: {age}");
        let sensitive = account.client.post("/api/withdraw").bearer(&live).send().await;
        sensitive.problem(503, "unavailable");
        let after = faults(&stack.log(Part::Edge));
        let (outcome, other) = match lie {
            Lie::Tampering | Lie::Replaying => ("refused", "failed"),
            Lie::Flooding | Lie::Hanging | Lie::Failing | Lie::None => ("failed", "refused"),
        };
        assert!(
            after.of(outcome) > before.of(outcome),
            "{lie:?}: {before:?} {after:?}"
        );
        assert_eq!(after.of(other), before.of(other), "{lie:?}: {before:?} {after:?}");
        between.lie(Lie::None);
        eventually(
            "the edge is up to date again",
            Duration::from_secs(30),
            async || {
                echo(ended).await.problem(401, "invalid_token");
                seen(&echo(&live).await.expect(200), AGE).is_none().then_some(())
            },
        )
        .await;
        let sensitive = account.client.post("/api/withdraw").bearer(&live).send().await;
        sensitive.problem(401, "step_up_required");
    }
    let counted = faults(&stack.log(Part::Edge));
    assert!(counted.stale_passes > 0, "{counted:?}");
}

#[tokio::test]
async fn verified_requests_ask_the_origin_for_revocations_once_in_two_seconds_at_most() {
    let between = LyingOrigin::start().await;
    let stack = Wanted::behind(&between).start("feed_calls").await;
    let account = Account::register(&stack.edge()).await;
    let echo = || {
        account
            .client
            .get("/api/echo")
            .bearer(account.access_token())
            .send()
    };
    echo().await.expect(200);
    let (began, before) = (std::time::Instant::now(), between.asked());
    for _ in 0..500 {
        echo().await.expect(200);
    }
    let (took, asked) = (began.elapsed(), between.asked() - before);
    println!("{asked} calls for revocations in {took:?} and 500 verified requests");
    let most = took.as_secs() / 2 + 2;
    assert!(u64::try_from(asked).unwrap() <= most, "{asked} in {took:?}");
}

/// The latest counts in the edge's log.
#[derive(Debug, Default)]
struct Faults {
    failed: u64,
    refused: u64,
    stale_passes: u64,
}

impl Faults {
    fn of(&self, outcome: &str) -> u64 {
        match outcome {
            "failed" => self.failed,
            _ => self.refused,
        }
    }
}

fn faults(log: &std::path::Path) -> Faults {
    let text = fs::read_to_string(log).unwrap();
    // Around the JSON the terminal's colours may stand.
    let lines = text
        .lines()
        .filter_map(|line| line.get(line.find('{')?..=line.rfind('}')?));
    let counts = lines
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .rfind(|line| line["event"] == "revocations");
    counts.map_or_else(Faults::default, |counts| Faults {
        failed: counts["failed"].as_u64().unwrap(),
        refused: counts["refused"].as_u64().unwrap(),
        stale_passes: counts["stale_passes"].as_u64().unwrap(),
    })
}
