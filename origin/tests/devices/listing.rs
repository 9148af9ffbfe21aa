//! `GET /auth/devices`.

use std::collections::BTreeSet;

use portcullis_origin::kernel::time::TimeDelta;
use reqwest::StatusCode;
use serde_json::json;

use super::{ADA, FIREFOX, list, login_on, person, registered, server, signing_in, token};
use crate::fixtures::{assert_refused, body_of, moment, register};

#[tokio::test]
async fn a_person_sees_their_devices_the_one_seen_last_first() {
    let (server, _folder) = server().await;
    let (first, _) = registered(&server, ADA).await;
    register(&server, "eve@example.com").await;
    server.clock.advance(TimeDelta::minutes(5));
    let request = signing_in(&server, ADA).header("user-agent", FIREFOX);
    let second = person(request.send().await.unwrap()).await;
    let listed = list(&server, &second).await;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["name"], "Firefox on Linux");
    assert_eq!(listed[1]["name"], json!(null));
    assert_eq!(
        [&listed[0]["current"], &listed[1]["current"]],
        [&json!(true), &json!(false)]
    );
    assert_eq!(
        moment(&listed[0]["lastSeenAt"]) - moment(&listed[1]["lastSeenAt"]),
        TimeDelta::minutes(5)
    );
    let members: BTreeSet<&str> = listed[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let contract = ["current", "firstSeenAt", "id", "lastSeenAt", "name", "trustScore"];
    assert_eq!(members, contract.into());
    let of_the_other = list(&server, &first).await;
    assert_eq!(of_the_other[0]["current"], false);
    assert_eq!(of_the_other[1]["current"], true);
}

#[tokio::test]
async fn trust_is_that_of_the_moment() {
    let (server, _folder) = server().await;
    let (ada, known) = registered(&server, ADA).await;
    let score = async |person| list(&server, person).await[0]["trustScore"].clone();
    assert_eq!(score(&ada).await, 80);
    server.clock.advance(TimeDelta::minutes(14));
    assert_eq!(score(&ada).await, 80);
    server.clock.advance(TimeDelta::days(25));
    let other = login_on(&server, ADA, None).await;
    let listed = list(&server, &other).await;
    assert_eq!(listed[1]["trustScore"], 62, "25 days old, and unseen for as long");
    let again = login_on(&server, ADA, Some(&known)).await;
    let listed = list(&server, &again).await;
    let current = listed.iter().find(|device| device["current"] == true).unwrap();
    assert_eq!(current["trustScore"], 82);
}

#[tokio::test]
async fn a_session_says_which_device_it_is_on() {
    let (server, _folder) = server().await;
    registered(&server, ADA).await;
    let request = signing_in(&server, ADA).header("user-agent", FIREFOX);
    let ada = person(request.send().await.unwrap()).await;
    let request = server.get("/auth/sessions").bearer_auth(&ada.access);
    let body = body_of(request.send().await.unwrap(), StatusCode::OK).await;
    let sessions = body["sessions"].as_array().unwrap();
    let own = sessions
        .iter()
        .find(|session| session["current"] == true)
        .unwrap();
    assert_eq!(own["deviceName"], "Firefox on Linux");
}

#[tokio::test]
async fn who_is_not_signed_in_sees_and_forgets_nothing() {
    let (server, _folder) = server().await;
    let (ada, known) = registered(&server, ADA).await;
    let device = super::own_device(&server, &ada).await;
    for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
        let path = match method {
            reqwest::Method::GET => "/auth/devices".to_owned(),
            _ => format!("/auth/devices/{device}"),
        };
        let request = server.request(method, &path).header("x-device-token", &known);
        assert_refused(request.send().await.unwrap(), 401, "invalid_token").await;
    }
    assert_eq!(token(&login_on(&server, ADA, Some(&known)).await), known);
}
