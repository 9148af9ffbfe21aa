//! A page that means harm: from another site, and from another port of the same host, to which browsers send
//! cookies that are `SameSite`.

use portcullis_tests::account::Account;
use portcullis_tests::chromium::Chromium;
use portcullis_tests::own_stack::Wanted;
use portcullis_tests::upstream::OddUpstream;
use portcullis_tests::world::Door;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use xtask::stack::Upstream;

use super::{ACCESS, REFRESH, get, open_own_page, sign_in};

/// What the page would like to have done.
const TARGETS: [&str; 3] = ["/auth/logout", "/auth/refresh", "/api/tickets/purchase"];

/// A web server of somebody else's, with one page.
struct HostileSite {
    port: u16,
    serving: JoinHandle<()>,
}

impl HostileSite {
    async fn start() -> Self {
        const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 36\r\nConnection: close\r\n\r\n\
             <!doctype html><title>Prizes</title>";
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut head = [0; 4096];
                    if stream.read(&mut head).await.is_ok_and(|count| count > 0) {
                        stream.write_all(PAGE.as_bytes()).await.ok();
                        stream.shutdown().await.ok();
                    }
                });
            }
        });
        Self { port, serving }
    }

    /// The page as a page of another site (`localhost`), or of the same site and another origin.
    fn page(&self, host: &str) -> String {
        format!("http://{host}:{}/", self.port)
    }
}

impl Drop for HostileSite {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Sends what a script can send without being allowed to, and what it would have to be allowed.
const FETCH: &str = "
    const [url] = given;
    const ways = [
        {mode: 'no-cors', body: '{}', headers: {'content-type': 'text/plain'}},
        {mode: 'no-cors', body: new URLSearchParams({a: 'b'})},
        {mode: 'cors', body: '{}', headers: {'content-type': 'application/json', 'x-csrf-token': 'pcc_a.b.c'}},
        {mode: 'cors', method: 'DELETE'},
    ];
    const read = [];
    for (const way of ways) {
        try {
            const answer = await fetch(url, {method: 'POST', credentials: 'include', ...way});
            read.push(answer.type === 'opaque' ? 'nothing' : await answer.text());
        } catch (error) {
            read.push('nothing');
        }
    }
    return read;";

/// Lets an image and a hidden frame ask.
const EMBED: &str = "
    const [url] = given;
    await new Promise((resolve) => {
        const image = new Image();
        image.onload = image.onerror = resolve;
        image.src = url;
    });
    await new Promise((resolve) => {
        const frame = document.createElement('iframe');
        frame.onload = frame.onerror = resolve;
        frame.src = url;
        document.body.append(frame);
    });";

const SUBMIT: &str = "
    const [url, type] = given;
    const form = document.createElement('form');
    Object.assign(form, {method: 'POST', action: url, enctype: type});
    form.append(Object.assign(document.createElement('input'), {name: '{\"a\":\"', value: '\"}'}));
    document.body.append(form);
    setTimeout(() => form.submit());";

#[tokio::test]
async fn a_hostile_page_does_nothing_with_its_visitors_session() {
    let upstream = OddUpstream::start().await;
    let wanted = Wanted {
        upstream: Upstream::Given(upstream.url().to_owned()),
        ..Wanted::all()
    };
    let stack = wanted.start("hostile").await;
    let door = stack.edge();
    let account = Account::register(&door).await;
    let site = HostileSite::start().await;
    let browser = Chromium::start().await;
    open_own_page(&browser, &door).await;
    sign_in(&browser, &account).await;
    let cookies = kept(&browser).await;

    // Browsers send no `SameSite` cookie with what another site posts, so that it comes from a stranger. To another port
    // of the host they do, and it is for us to refuse it.
    let by_stranger = ["invalid_token", "unsupported_media_type"];
    for (host, refusals) in [("localhost", &by_stranger[..]), ("127.0.0.1", &["csrf_rejected"])] {
        for target in TARGETS {
            let url = format!("{}{target}", door.url());
            browser.open(&site.page(host)).await;
            let read = browser.run(FETCH, &[url.as_str().into()]).await;
            assert_eq!(
                read,
                serde_json::json!(["nothing", "nothing", "nothing", "nothing"]),
                "{host} {target}"
            );
            browser.run(EMBED, &[url.as_str().into()]).await;
            for kind in ["text/plain", "application/x-www-form-urlencoded"] {
                browser.open(&site.page(host)).await;
                browser.run(SUBMIT, &[url.as_str().into(), kind.into()]).await;
                let answer = arrived(&browser, &url).await;
                let code = answer["code"].as_str().unwrap_or_default();
                assert!(refusals.contains(&code), "{host} {target} {kind}: {answer}");
            }
        }
    }
    assert_nothing_happened(&browser, &door, &upstream, &cookies).await;
    browser.close().await;
}

async fn kept(browser: &Chromium) -> [String; 2] {
    let mut values = Vec::new();
    for name in [ACCESS, REFRESH] {
        values.push(browser.cookie(name).await.expect(name).value);
    }
    values.try_into().unwrap()
}

/// Waits until the tab has gone where the form has sent it, and gives the document it shows.
async fn arrived(browser: &Chromium, url: &str) -> Value {
    portcullis_tests::eventually(
        "the answer to the form",
        std::time::Duration::from_secs(30),
        || async {
            let there = browser.run("return location.href", &[]).await;
            let text = if there == url {
                browser.text().await
            } else {
                return None;
            };
            serde_json::from_str(&text).ok()
        },
    )
    .await
}

async fn assert_nothing_happened(
    browser: &Chromium,
    door: &Door,
    upstream: &OddUpstream,
    cookies: &[String; 2],
) {
    open_own_page(browser, door).await;
    assert_eq!(&kept(browser).await, cookies, "no cookie has changed");
    get(browser, "/auth/me").await.expect(200);
    let reached: Vec<String> = upstream
        .heads()
        .into_iter()
        .filter(|head| !head.contains("/api/public/page"))
        .collect();
    assert_eq!(reached, Vec::<String>::new(), "nothing has reached the upstream");
}
