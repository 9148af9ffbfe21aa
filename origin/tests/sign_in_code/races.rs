//! Many answers at once.

use futures_util::future::join_all;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_wrong_codes_at_once_five_are_looked_at() {
    let (server, folder, _) = server_with_ada().await;
    let token = challenged(&server).await;
    let right = code(&server, &folder).await;
    let guesses = (0..50).map(|number| {
        let guess = format!("{number:08}");
        let guess = if guess == right { wrong(&guess) } else { guess };
        let (server, token) = (&server, &token);
        async move { body_of(answer(server, token, &guess).await, StatusCode::UNAUTHORIZED).await }
    });
    let answers = join_all(guesses).await;
    let told = |code| answers.iter().filter(|body| body["code"] == code).count();
    assert_eq!((told("invalid_code"), told("invalid_mfa_token")), (5, 45));
    assert_eq!(sessions(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_type_the_right_code_at_once_one_gets_in() {
    let (server, folder, _) = server_with_ada().await;
    let token = challenged(&server).await;
    let code = code(&server, &folder).await;
    let answers = join_all((0..20).map(|_| answer(&server, &token, &code))).await;
    let inside = answers.iter().filter(|answer| answer.status() == StatusCode::OK);
    assert_eq!(inside.count(), 1);
    assert_eq!(sessions(&server).await, 2);
}
