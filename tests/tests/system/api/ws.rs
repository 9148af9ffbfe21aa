//! `/api/ws`: a WebSocket through the edge.

use futures_util::{SinkExt as _, StreamExt as _};
use portcullis_tests::account::Account;
use portcullis_tests::world::Door;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

fn request(token: Option<&str>) -> http::Request<()> {
    let url = format!("{}/api/ws", Door::edge().url().replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    if let Some(token) = token {
        request
            .headers_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

#[tokio::test]
async fn messages_come_back_as_they_were_sent() {
    let account = Account::register(&Door::edge()).await;
    let (mut socket, response) = tokio_tungstenite::connect_async(request(Some(account.access_token())))
        .await
        .unwrap();
    assert_eq!(response.status(), 101);
    let messages = [
        Message::text("hello"),
        Message::text("grüße 🎟"),
        Message::binary((0..=255).collect::<Vec<u8>>()),
        Message::binary(vec![7; 200_000]),
        Message::text("last"),
    ];
    for message in messages {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Message::Close(_))) | None));
}

#[tokio::test]
async fn a_web_socket_needs_a_good_token() {
    for token in [None, Some("not-a-token")] {
        let refused = tokio_tungstenite::connect_async(request(token))
            .await
            .unwrap_err();
        let Error::Http(answer) = refused else {
            panic!("{refused}")
        };
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key("www-authenticate"));
    }
}
