//! Answers that are long, or never end: a stream of zero bytes and a WebSocket echo.
//!
//! Both hold one chunk at a time, whatever the length.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

static ZEROES: [u8; 64 * 1024] = [0; 64 * 1024];

/// Answers with as many zero bytes as the query's `bytes` says, none without it.
pub(crate) async fn zeroes(request: Request<Body>) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let wanted = query.split('&').find_map(|pair| pair.strip_prefix("bytes="));
    match wanted.map_or(Ok(0), str::parse) {
        Ok(remaining) => (
            [(CONTENT_TYPE, "application/octet-stream")],
            Body::new(Zeroes { remaining }),
        )
            .into_response(),
        Err(_) => (StatusCode::BAD_REQUEST, "bytes: a whole number is expected\n").into_response(),
    }
}

/// A body of zero bytes whose length is known beforehand, so that it travels with a `Content-Length`.
struct Zeroes {
    remaining: u64,
}

impl HttpBody for Zeroes {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        let mut chunk = Bytes::from_static(&ZEROES);
        if let Ok(remaining) = usize::try_from(self.remaining) {
            chunk.truncate(remaining);
        }
        self.remaining = self
            .remaining
            .saturating_sub(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }
}

/// Echoes every text and binary message until the client closes; without an upgrade, echoes the request.
pub(crate) async fn web_socket(
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
    request: Request<Body>,
) -> Response {
    match upgrade {
        Ok(upgrade) => upgrade.on_upgrade(echo_messages),
        Err(_) => crate::echo(request).await,
    }
}

async fn echo_messages(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        // Pings and the closing handshake are answered by the library.
        let echoed = match message {
            Message::Text(_) | Message::Binary(_) => socket.send(message).await,
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => continue,
        };
        if let Err(cause) = echoed {
            tracing::debug!(%cause, "a WebSocket went away");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt as _, StreamExt as _};
    use http_body_util::BodyExt as _;
    use tokio::net::TcpListener;
    use tokio_tungstenite::tungstenite;
    use tower::ServiceExt as _;

    use super::*;

    async fn get(uri: &str) -> Response {
        crate::app()
            .oneshot(Request::builder().uri(uri).body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_stream_has_exactly_the_bytes_asked_for() {
        for bytes in [0, 1, 65_536, 200_001] {
            let response = get(&format!("/api/stream?x=1&bytes={bytes}")).await;
            assert_eq!(response.body().size_hint().exact(), Some(bytes));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(u64::try_from(body.len()).unwrap(), bytes);
            assert!(body.iter().all(|byte| *byte == 0));
        }
    }

    #[tokio::test]
    async fn a_stream_longer_than_memory_yields_one_chunk_at_a_time() {
        let mut body = get(&format!("/api/stream?bytes={}", u64::MAX)).await.into_body();
        for _ in 0..10 {
            assert_eq!(
                body.frame().await.unwrap().unwrap().into_data().unwrap().len(),
                ZEROES.len()
            );
        }
    }

    #[tokio::test]
    async fn a_length_that_is_no_number_is_a_400() {
        for uri in [
            "/api/stream?bytes=",
            "/api/stream?bytes=-1",
            "/api/stream?bytes=1e3",
        ] {
            assert_eq!(get(uri).await.status(), StatusCode::BAD_REQUEST);
        }
    }

    #[tokio::test]
    async fn a_web_socket_hears_its_own_messages() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(axum::serve(listener, crate::app()).into_future());
        let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}/api/ws"))
            .await
            .unwrap();
        for message in [
            tungstenite::Message::text("hello"),
            tungstenite::Message::binary(vec![0, 255, 10]),
            tungstenite::Message::text(""),
        ] {
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap(), message);
        }
        socket.close(None).await.unwrap();
        assert!(matches!(
            socket.next().await,
            Some(Ok(tungstenite::Message::Close(_)))
        ));
        server.abort();
    }
}
