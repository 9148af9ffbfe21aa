//! What is asked of whom, as one table.

use super::*;
use crate::fixtures::server;

/// How somebody signs in or steps up, and what their next token says.
struct Row {
    factors: &'static str,
    amr: Value,
    acr: &'static str,
    fresh: bool,
    /// Whether operations that cannot be undone are open: the account's standing decides what they take.
    open: bool,
}

#[tokio::test]
async fn every_combination_of_factors_says_what_it_is_and_opens_what_it_should() {
    let server = server().await;
    let mut rows = Vec::new();
    let plain = register(&server, "eve@example.com").await;
    rows.push(row(&server, "password, no second factor", &plain.access).await);
    server.clock.advance(TimeDelta::minutes(6));
    let stale = row(
        &server,
        "password, six minutes ago",
        &refreshed(&server, &plain.refresh).await,
    )
    .await;
    rows.push(stale);
    let stepped = step_up(&server, &plain.access, "password", PASSWORD).await;
    rows.push(row(&server, "password, and again", &access_in(stepped).await).await);

    let ada = Ada::with_app(&server).await;
    rows.push(row(&server, "password, before the set-up", &ada.person.access).await);
    let person = login_with(&server, &ada.app).await;
    rows.push(row(&server, "password and app", &person.access).await);
    let token = challenged(&server).await;
    let answered = answer(&server, &token, "backup_code", &ada.backup_codes[0]).await;
    rows.push(row(&server, "password and backup code", &access_in(answered).await).await);
    server.clock.advance(TimeDelta::minutes(6));
    let stale = refreshed(&server, &person.refresh).await;
    rows.push(row(&server, "password and app, six minutes ago", &stale).await);
    let stepped = step_up(&server, &stale, "totp", &ada.app.code(&server)).await;
    rows.push(
        row(
            &server,
            "password and app, and app again",
            &access_in(stepped).await,
        )
        .await,
    );

    println!("{:<36} {:<24} acr   fresh  open", "factors", "amr");
    for row in &rows {
        println!(
            "{:<36} {:<24} {}  {:<5}  {}",
            row.factors,
            row.amr.to_string(),
            row.acr,
            row.fresh,
            row.open
        );
    }
    let (pwd, mfa) = (json!(["pwd"]), json!(["pwd", "otp", "mfa"]));
    let expected = [
        (&pwd, "aal1", true, true),
        (&pwd, "aal1", false, false),
        (&pwd, "aal1", true, true),
        (&pwd, "aal1", true, false),
        (&mfa, "aal2", true, true),
        (&mfa, "aal2", true, true),
        (&mfa, "aal2", false, false),
        (&mfa, "aal2", true, true),
    ];
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(
            (&row.amr, row.acr, row.fresh, row.open),
            expected,
            "{}",
            row.factors
        );
    }
    assert_eq!(rows.len(), expected.len());
}

async fn row(server: &TestServer, factors: &'static str, access: &str) -> Row {
    let claims = claims(server, access).await;
    let age = server.clock.now().timestamp() - claims["auth_time"].as_i64().unwrap();
    Row {
        factors,
        amr: claims["amr"].clone(),
        acr: if claims["acr"] == "aal2" { "aal2" } else { "aal1" },
        fresh: age <= 300,
        open: exported(server, access).await.status() == StatusCode::OK,
    }
}

async fn refreshed(server: &TestServer, token: &str) -> String {
    access_in(try_refresh(server, token).await).await
}

async fn access_in(answer: Response) -> String {
    text(&body_of(answer, StatusCode::OK).await, "/tokens/accessToken")
}
