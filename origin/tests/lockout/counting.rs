//! What counts, and for how long.

use portcullis_origin::kernel::time::TimeDelta;

use super::{
    ADA, AWAY, EVE, HOME, WRONG, assert_locked, assert_locked_out, assert_signs_in, attempt, guess, locks,
    server, settings,
};
use crate::common::TestServer;
use crate::fixtures::{assert_refused, count, execute, register};

#[tokio::test]
async fn five_wrong_passwords_lock_an_account_and_time_opens_it() {
    let server = server().await;
    register(&server, ADA).await;
    guess(&server, HOME, ADA, 5).await;
    assert_locked_out(&server, HOME, ADA, "900").await;
    server.clock.advance(TimeDelta::seconds(600));
    // Whoever tries meanwhile makes it no longer.
    assert_locked_out(&server, AWAY, " ADA@example.com", "300").await;
    server.clock.advance(TimeDelta::milliseconds(299_001));
    assert_locked_out(&server, HOME, ADA, "1").await;
    server.clock.advance(TimeDelta::milliseconds(999));
    assert_signs_in(&server, HOME, ADA).await;
}

#[tokio::test]
async fn an_address_that_nobody_has_locks_alike() {
    let server = server().await;
    register(&server, ADA).await;
    let mut answers = Vec::new();
    for (from, email) in [(HOME, ADA), (AWAY, "nobody@example.com")] {
        guess(&server, from, email, 5).await;
        let answer = attempt(&server, from, email, WRONG).await;
        let mut headers = answer.headers().clone();
        for name in ["x-request-id", "date", "ratelimit"] {
            headers.remove(name);
        }
        let mut body = assert_refused(answer, 429, "account_locked").await;
        body.as_object_mut().unwrap().remove("requestId").unwrap();
        answers.push((format!("{headers:?}"), body));
    }
    assert_eq!(answers[0], answers[1]);
    let rows = "SELECT count(DISTINCT (tenant_id, failed_at, locked_until, forget_at)) FROM login_failures
                WHERE kind = 'account'";
    assert_eq!(count(&server, rows).await, 1);
}

#[tokio::test]
async fn a_wrong_password_counts_for_a_quarter_of_an_hour() {
    let server = server().await;
    register(&server, ADA).await;
    guess(&server, HOME, ADA, 4).await;
    server.clock.advance(TimeDelta::minutes(15));
    guess(&server, HOME, ADA, 4).await;
    server.clock.advance(TimeDelta::seconds(899));
    guess(&server, HOME, ADA, 1).await;
    assert_locked_out(&server, HOME, ADA, "900").await;
}

#[tokio::test]
async fn a_right_password_makes_wrong_ones_forgotten() {
    let server = server().await;
    register(&server, ADA).await;
    for _ in 0..2 {
        guess(&server, HOME, ADA, 4).await;
        assert_signs_in(&server, AWAY, ADA).await;
    }
    guess(&server, HOME, ADA, 1).await;
    assert_signs_in(&server, AWAY, ADA).await;
}

#[tokio::test]
async fn ten_wrong_passwords_lock_a_client_out_whichever_accounts_they_were_for() {
    let server = server().await;
    register(&server, ADA).await;
    for number in 0..10 {
        guess(&server, AWAY, &format!("person-{number}@example.com"), 1).await;
        // An account of one's own does not give the attempts back.
        if number == 8 {
            assert_signs_in(&server, AWAY, ADA).await;
        }
    }
    let answer = attempt(&server, AWAY, ADA, crate::fixtures::PASSWORD).await;
    assert_locked(answer, "rate_limited", "900").await;
    assert_signs_in(&server, HOME, ADA).await;
    server.clock.advance(TimeDelta::minutes(15));
    assert_signs_in(&server, AWAY, ADA).await;
}

#[tokio::test]
async fn a_subscriber_has_one_count_for_all_addresses_of_a_network() {
    let server = server().await;
    for number in 0..10 {
        let from = format!("2001:db8:1:1::{number}");
        guess(&server, &from, &format!("person-{number}@example.com"), 1).await;
    }
    let answer = attempt(&server, "2001:db8:1:1:ffff::1", EVE, WRONG).await;
    assert_locked(answer, "rate_limited", "900").await;
    guess(&server, "2001:db8:1:2::1", EVE, 1).await;
}

#[tokio::test]
async fn who_lies_about_where_they_come_from_is_one_client_all_the_same() {
    let server = TestServer::start_with(|all| {
        settings(all);
        all.remove("PORTCULLIS__HTTP__TRUSTED_PROXIES");
    })
    .await;
    for number in 0..10 {
        let from = format!("203.0.113.{number}");
        guess(&server, &from, &format!("person-{number}@example.com"), 1).await;
    }
    let answer = attempt(&server, "203.0.113.99", EVE, WRONG).await;
    assert_locked(answer, "rate_limited", "900").await;
}

#[tokio::test]
async fn what_is_refused_while_the_lock_is_on_counts_for_nobody() {
    let server = server().await;
    register(&server, ADA).await;
    guess(&server, HOME, ADA, 5).await;
    for _ in 0..20 {
        assert_locked_out(&server, HOME, ADA, "900").await;
    }
    guess(&server, HOME, EVE, 4).await;
    assert_eq!(locks(&server).await, 1, "the client has used nine of ten");
}

#[tokio::test]
async fn an_address_that_is_still_to_be_confirmed_counts_as_a_wrong_password_does() {
    let (server, _folder) = crate::mail::server_with_folder_and(|all| {
        settings(all);
        all.insert("PORTCULLIS__REGISTRATION__HIDE_EXISTING".into(), "true".into());
    })
    .await;
    let request = crate::fixtures::registration(ADA);
    server.post("/auth/register").json(&request).send().await.unwrap();
    for _ in 0..5 {
        let answer = attempt(&server, HOME, ADA, crate::fixtures::PASSWORD).await;
        assert_refused(answer, 401, "invalid_credentials").await;
    }
    assert_locked_out(&server, HOME, ADA, "900").await;
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_not_told_beyond_the_last_attempt() {
    let server = server().await;
    register(&server, ADA).await;
    execute(&server, "UPDATE users SET status = 'disabled'").await;
    let answer = attempt(&server, HOME, ADA, crate::fixtures::PASSWORD).await;
    assert_refused(answer, 403, "account_disabled").await;
    guess(&server, HOME, ADA, 5).await;
    assert_locked_out(&server, HOME, ADA, "900").await;
}

#[tokio::test]
async fn without_redis_and_after_a_restart_it_is_still_locked() {
    let mut master_key = None;
    let server = TestServer::start_with(|all| {
        settings(all);
        master_key = all.get("PORTCULLIS__SECRETS__MASTER_KEY").cloned();
        all.insert("REDIS_URL".into(), "redis://127.0.0.1:1".into());
    })
    .await;
    register(&server, ADA).await;
    guess(&server, HOME, ADA, 5).await;
    assert_locked_out(&server, HOME, ADA, "900").await;
    let url = server.database.as_ref().unwrap().url();
    let again = TestServer::start_on(url, |all| {
        settings(all);
        all.insert("PORTCULLIS__SECRETS__MASTER_KEY".into(), master_key.unwrap());
    })
    .await;
    let answer = attempt(&again, HOME, ADA, crate::fixtures::PASSWORD).await;
    assert_refused(answer, 429, "account_locked").await;
}
