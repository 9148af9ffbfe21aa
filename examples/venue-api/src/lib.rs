//! A small box-office API, to show what an application behind the edge looks like.
//!
//! Invariants:
//! - It knows nothing of authentication. Who is calling is what the `X-Auth-*` headers say, because only the edge can
//!   reach it and the edge removes such headers from what clients send.
//! - Every request is answered with 200 and a description of the request as it arrived (`seen`), so that whoever
//!   is setting up an edge can look at what it forwards. The exceptions are a body that breaks off and a byte
//!   count that is not a number.
//! - Memory does not grow with the size of a body or a stream, nor with the number of requests served.

mod box_office;
mod seen;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value};

use crate::box_office::BoxOffice;
use crate::seen::{Arrival, Caller};

/// The whole application, with an empty box office.
pub fn app() -> Router {
    Router::new()
        .route("/api/tickets/purchase", post(purchase_ticket).fallback(echo))
        .route("/api/reports", get(report).fallback(echo))
        .route(
            "/api/venues/{venueId}/tickets",
            get(tickets_of_venue).fallback(echo),
        )
        .route("/api/venues/{venueId}/events", post(plan_event).fallback(echo))
        .route("/api/stream", get(stream::zeroes).fallback(echo))
        .route("/api/ws", get(stream::web_socket).fallback(echo))
        .fallback(echo)
        .with_state(Arc::new(BoxOffice::default()))
}

/// Any other request: what was seen, and nothing else.
async fn echo(request: Request<Body>) -> Response {
    answer(request, |_, _| Map::new()).await
}

async fn purchase_ticket(State(office): State<Arc<BoxOffice>>, request: Request<Body>) -> Response {
    answer(request, |caller, wish| own("ticket", &office.sell(caller, wish))).await
}

async fn report(State(office): State<Arc<BoxOffice>>, request: Request<Body>) -> Response {
    answer(request, |_, _| own("report", &office.report())).await
}

async fn tickets_of_venue(
    State(office): State<Arc<BoxOffice>>,
    Path(venue_id): Path<String>,
    request: Request<Body>,
) -> Response {
    answer(request, |_, _| own("tickets", &office.tickets_of(&venue_id))).await
}

async fn plan_event(
    State(office): State<Arc<BoxOffice>>,
    Path(venue_id): Path<String>,
    request: Request<Body>,
) -> Response {
    answer(request, |caller, wish| {
        own("event", &office.plan(&venue_id, caller, wish))
    })
    .await
}

/// Reads the request to its end and answers with what was seen, beside what `own_data` adds.
async fn answer(
    request: Request<Body>,
    own_data: impl FnOnce(&Caller, &Value) -> Map<String, Value>,
) -> Response {
    let caller = Caller::of(request.headers());
    match Arrival::read(request).await {
        Ok(arrival) => {
            let own = own_data(&caller, &arrival.json());
            axum::Json(arrival.describe(&caller, own)).into_response()
        }
        Err(cause) => {
            tracing::info!(%cause, "a request body broke off");
            (StatusCode::BAD_REQUEST, "the request body broke off\n").into_response()
        }
    }
}

/// One named piece of own data.
fn own(name: &str, data: &Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), data.clone())])
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use http_body_util::BodyExt as _;
    use serde_json::json;
    use tower::ServiceExt as _;

    use super::*;

    async fn call(app: &Router, request: Request<Body>) -> (StatusCode, Value) {
        let response = app.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn request(method: &str, uri: &str) -> axum::http::request::Builder {
        Request::builder().method(method).uri(uri)
    }

    #[tokio::test]
    async fn every_route_answers_200_with_the_request_it_saw() {
        let body = "byte for byte";
        let sent = request("PATCH", "/api/any%20where?a=1&a=2&b=%2F")
            .header("x-twice", "one")
            .header("x-twice", "two");
        let (status, seen) = call(&app(), sent.body(Body::from(body)).unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            seen,
            json!({
                "method": "PATCH",
                "path": "/api/any%20where",
                "query": "a=1&a=2&b=%2F",
                "headers": [["x-twice", "one"], ["x-twice", "two"]],
                "bodyLength": 13,
                "bodySha256": "a2d39209f37a88cfed31b5f0c03676f56bc5387a89f0db9a71be728db2c40323",
                "servedFor": null,
            })
        );
    }

    #[tokio::test]
    async fn a_request_without_a_query_is_told_from_one_with_an_empty_query() {
        let (_, without) = call(&app(), request("GET", "/x").body(Body::empty()).unwrap()).await;
        let (_, empty) = call(&app(), request("GET", "/x?").body(Body::empty()).unwrap()).await;
        assert_eq!((&without["query"], &empty["query"]), (&Value::Null, &json!("")));
    }

    #[tokio::test]
    async fn the_subject_that_the_edge_names_is_who_is_served() {
        let app = app();
        let sent = request("POST", "/api/tickets/purchase").header("x-auth-subject", "someone");
        let (_, bought) = call(
            &app,
            sent.body(Body::from(r#"{"venueId": "v1", "event": "Gala"}"#))
                .unwrap(),
        )
        .await;
        assert_eq!(bought["servedFor"], "someone");
        assert_eq!(
            bought["ticket"],
            json!({"number": 1, "venueId": "v1", "event": "Gala", "holder": "someone"})
        );
        let (_, listed) = call(
            &app,
            request("GET", "/api/venues/v1/tickets")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
        assert_eq!(listed["tickets"], json!([bought["ticket"]]));
        let (_, elsewhere) = call(
            &app,
            request("GET", "/api/venues/v2/tickets")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
        assert_eq!(elsewhere["tickets"], json!([]));
    }

    #[tokio::test]
    async fn an_event_is_planned_at_the_venue_of_the_path_and_counted_in_the_report() {
        let app = app();
        let sent = request("POST", "/api/venues/v1/events").header("x-auth-subject", "planner");
        let (_, planned) = call(&app, sent.body(Body::from(r#"{"name": "Gala"}"#)).unwrap()).await;
        assert_eq!(
            planned["event"],
            json!({"number": 1, "venueId": "v1", "name": "Gala", "plannedBy": "planner"})
        );
        let (_, report) = call(&app, request("GET", "/api/reports").body(Body::empty()).unwrap()).await;
        assert_eq!(report["report"], json!({"ticketsSold": 0, "eventsPlanned": 1}));
    }

    #[tokio::test]
    async fn another_verb_on_a_route_with_own_data_is_echoed_too() {
        for uri in [
            "/api/reports",
            "/api/stream?bytes=5",
            "/api/ws",
            "/api/venues/v1/tickets",
        ] {
            let (status, seen) = call(&app(), request("PURGE", uri).body(Body::empty()).unwrap()).await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(seen["method"], "PURGE");
        }
    }

    #[tokio::test]
    async fn a_web_socket_route_asked_without_an_upgrade_is_echoed() {
        let (status, seen) = call(&app(), request("GET", "/api/ws").body(Body::empty()).unwrap()).await;
        assert_eq!((status, &seen["path"]), (StatusCode::OK, &json!("/api/ws")));
    }

    #[tokio::test]
    async fn a_body_that_is_no_json_still_buys_a_ticket_with_nothing_on_it() {
        let sent = Request::builder()
            .method(Method::POST)
            .uri("/api/tickets/purchase");
        let (status, bought) = call(&app(), sent.body(Body::from(vec![0xff; 300_000])).unwrap()).await;
        assert_eq!((status, &bought["bodyLength"]), (StatusCode::OK, &json!(300_000)));
        assert_eq!(
            bought["ticket"],
            json!({"number": 1, "venueId": null, "event": null, "holder": null})
        );
    }
}
