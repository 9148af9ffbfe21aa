//! Web sockets: what the upstream sees of the handshake, what it may choose, and how they end.

use futures_util::{SinkExt as _, StreamExt as _};
use portcullis_tests::account::Account;
use portcullis_tests::raw;
use portcullis_tests::scripted::{Arrival, ScriptedUpstream};
use portcullis_tests::world::Door;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{ALLOWED, scripted};

const PATH: &str = "/api/ws";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn request(door: &Door, token: &str, headers: &[(&'static str, &str)]) -> http::Request<()> {
    let url = format!("{}{PATH}", door.url().replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    let authorization = format!("Bearer {token}");
    for (name, value) in headers
        .iter()
        .copied()
        .chain([("authorization", authorization.as_str())])
    {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

/// Opens one, with the upstream's half of the handshake, to which it adds headers.
async fn open(
    upstream: &ScriptedUpstream,
    request: http::Request<()>,
    added: &str,
) -> (
    Socket,
    http::Response<Option<Vec<u8>>>,
    WebSocketStream<TcpStream>,
    String,
) {
    let arriving = upstream.expect(PATH);
    let (opened, (head, theirs)) = tokio::join!(tokio_tungstenite::connect_async(request), async {
        let arrival = arriving.await;
        accept(arrival, added).await
    });
    let (ours, response) = opened.expect("an open socket");
    (ours, response, theirs, head)
}

async fn accept(mut arrival: Arrival, added: &str) -> (String, WebSocketStream<TcpStream>) {
    let key = derive_accept_key(arrival.header("sec-websocket-key")[0].as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {key}\r\n{added}\r\n"
    );
    arrival.send(head.as_bytes()).await;
    let socket = WebSocketStream::from_raw_socket(arrival.stream, Role::Server, None).await;
    (arrival.head, socket)
}

#[tokio::test]
async fn a_socket_is_the_upstreams_once_the_edge_has_let_it_pass() {
    let (stack, upstream) = scripted("sockets").await;
    let door = stack.edge();
    let account = Account::register(&door).await;
    the_handshake_names_the_caller_and_the_protocol(&door, &upstream, &account).await;
    close_codes_arrive_both_ways(&door, &upstream, &account).await;
    an_upstream_may_refuse(&door, &upstream, &account).await;
    nobody_gets_that_far_without_a_good_token(&door).await;
}

async fn the_handshake_names_the_caller_and_the_protocol(
    door: &Door,
    upstream: &ScriptedUpstream,
    account: &Account,
) {
    let headers = [
        ("sec-websocket-protocol", "chat.v2, chat.v1"),
        ("origin", ALLOWED),
        ("x-auth-subject", "somebody-else"),
    ];
    let request = request(door, account.access_token(), &headers);
    let (mut ours, response, mut theirs, head) =
        open(upstream, request, "Sec-WebSocket-Protocol: chat.v1\r\n").await;
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat.v1");
    assert!(response.headers().contains_key("x-request-id"));
    assert!(!response.headers().contains_key("x-frame-options"));
    let seen: Vec<&str> = head.lines().map(str::trim).collect();
    let values = |name: &str| -> Vec<&str> {
        let lines = seen.iter().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    };
    assert_eq!(values("x-auth-subject"), [account.id()]);
    assert_eq!(values("sec-websocket-protocol"), ["chat.v2, chat.v1"]);
    assert_eq!(values("origin"), [ALLOWED]);
    assert_eq!(values("signature").len(), 1);

    let messages = [
        Message::text("grüße"),
        Message::binary(vec![0, 255, 13, 10]),
        Message::text(""),
    ];
    for message in messages {
        ours.send(message.clone()).await.unwrap();
        assert_eq!(theirs.next().await.unwrap().unwrap(), message);
        theirs.send(message.clone()).await.unwrap();
        assert_eq!(ours.next().await.unwrap().unwrap(), message);
    }
}

async fn close_codes_arrive_both_ways(door: &Door, upstream: &ScriptedUpstream, account: &Account) {
    for upstream_closes in [true, false] {
        let request = request(door, account.access_token(), &[]);
        let (mut ours, _, mut theirs, _) = open(upstream, request, "").await;
        let frame = CloseFrame {
            code: CloseCode::Library(4001),
            reason: "the doors are shut".into(),
        };
        let heard = if upstream_closes {
            theirs.close(Some(frame.clone())).await.unwrap();
            ours.next().await
        } else {
            ours.close(Some(frame.clone())).await.unwrap();
            theirs.next().await
        };
        let Some(Ok(Message::Close(Some(heard)))) = heard else {
            panic!("no closing frame: {heard:?}")
        };
        assert_eq!(heard, frame, "the upstream closes: {upstream_closes}");
    }
}

async fn an_upstream_may_refuse(door: &Door, upstream: &ScriptedUpstream, account: &Account) {
    let arriving = upstream.expect(PATH);
    let client = door.client();
    let mut request = raw::head(&client, b"GET /api/ws");
    let headers = format!(
        "Authorization: Bearer {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        account.access_token()
    );
    request.extend(headers.bytes());
    let (refused, ()) = tokio::join!(raw::exchange(&client, &request), async {
        let arrival = arriving.await;
        assert_eq!(arrival.header("upgrade"), ["websocket"]);
        let headers = "Content-Type: text/plain\r\nContent-Length: 4\r\nX-Own: 1\r\n";
        arrival.answer("409 Conflict", headers, b"full").await;
    });
    let answer = refused.expect("an answer").expect(409);
    assert_eq!(answer.header("x-own"), Some("1"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(&answer.body[..], b"full");
}

async fn nobody_gets_that_far_without_a_good_token(door: &Door) {
    let refused = tokio_tungstenite::connect_async(request(door, "not-a-token", &[])).await;
    let Err(Error::Http(answer)) = refused else {
        panic!("it was refused: {refused:?}")
    };
    assert_eq!(answer.status(), 401);
    assert!(answer.headers().contains_key("www-authenticate"));
}
