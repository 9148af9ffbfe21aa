//! One code, many hands.

use futures_util::future::join_all;

use super::*;
use crate::fixtures::replicas;

/// A hundred answers at once, to as many sign-ins, by the same code, at two servers.
async fn storm(servers: &[TestServer; 2], method: &str, code: &str) -> usize {
    let mut tokens = Vec::new();
    for _ in 0..100 {
        tokens.push(challenged(&servers[0]).await);
    }
    let answers = tokens
        .iter()
        .enumerate()
        .map(|(number, token)| answer(&servers[number % 2], token, method, code));
    let mut inside = 0;
    for answer in join_all(answers).await {
        match answer.status() {
            StatusCode::OK => inside += 1,
            // Ten wrong ones lock the factor for the others.
            StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => {}
            status => panic!("{status}"),
        }
    }
    println!("{method}: of 100 at once at two servers {inside} got in");
    inside
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_who_use_one_code_of_an_app_at_once_one_gets_in() {
    let servers = replicas().await;
    let ada = Ada::with_app(&servers[0]).await;
    let code = ada.app.code(&servers[0]);
    servers[1].clock.advance(TimeDelta::seconds(30));
    assert_eq!(storm(&servers, "totp", &code).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_who_use_one_backup_code_at_once_one_gets_in() {
    let servers = replicas().await;
    let ada = Ada::with_app(&servers[0]).await;
    servers[1].clock.advance(TimeDelta::seconds(30));
    assert_eq!(storm(&servers, "backup_code", &ada.backup_codes[0]).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_confirm_a_set_up_at_once_one_does() {
    let [one, other] = replicas().await;
    let person = register(&one, ADA).await;
    let body = body_of(set_up(&one, &person.access, PASSWORD).await, StatusCode::OK).await;
    let code = App::of(&text(&body, "/secret")).code(&one);
    let answers = (0..20).map(|number| verify([&one, &other][number % 2], &person.access, &code));
    let statuses: Vec<u16> = join_all(answers)
        .await
        .iter()
        .map(|answer| answer.status().as_u16())
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert!(
        statuses.iter().all(|status| [200, 409].contains(status)),
        "{statuses:?}"
    );
}
