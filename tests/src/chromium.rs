//! A real browser, Chromium, driven through the W3C's `WebDriver` protocol by its own chromedriver.
//!
//! Invariants: each browser starts with nothing, in a profile of its own that goes with it; it asks nobody on the network
//! but the pages that a test opens; it ends with the value, whatever became of the test.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;
use thirtyfour::prelude::*;
use tokio::sync::{Semaphore, SemaphorePermit};
use xtask::net;
use xtask::process::{Probe, Service, ServiceSpec};
use xtask::workspace::Workspace;

use crate::fresh_id;
use crate::world::state;

/// Each is a dozen processes; more at once would only slow each other down.
static AT_ONCE: Semaphore = Semaphore::const_new(1);

/// How long a page or a script may take; well above every timeout of the system itself.
const PATIENCE: Duration = Duration::from_mins(1);

/// Without a screen, and without what a browser does on its own account. There is no sandbox to be had as root in a
/// container, and nothing opens here but pages of the test.
const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one tab or more; what is done, is done in the tab that was opened or chosen last.
pub struct Chromium {
    /// There until the browser is closed.
    driver: Option<WebDriver>,
    chromedriver: Service,
    port: u16,
    _profile: TempDir,
    _permit: SemaphorePermit<'static>,
}

/// One tab of a browser.
#[derive(Clone, Debug)]
pub struct Tab(WindowHandle);

/// A cookie as the browser keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCookie {
    /// Its value.
    pub value: String,
    /// Whether scripts cannot see it.
    pub http_only: bool,
    /// Whether it is sent over secure connections only.
    pub secure: bool,
    /// `SameSite`, as it was set.
    pub same_site: Option<String>,
}

impl Chromium {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// When it does not start; the log of chromedriver is in the state folder.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one with more flags.
    ///
    /// # Panics
    ///
    /// When it does not start; the log of chromedriver is in the state folder.
    pub async fn start_with(flags: &[&str]) -> Self {
        let permit = AT_ONCE.acquire().await.unwrap();
        let profile = TempDir::with_prefix("portcullis-chromium-").unwrap();
        let home = profile.path().display().to_string();
        let (chromedriver, port) = tokio::task::spawn_blocking(move || start_chromedriver(&home))
            .await
            .unwrap();
        let mut wanted = DesiredCapabilities::chrome();
        for flag in FLAGS.iter().chain(flags) {
            wanted.add_arg(flag).unwrap();
        }
        let folder = profile.path().join("profile");
        wanted
            .add_arg(&format!("--user-data-dir={}", folder.display()))
            .unwrap();
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted)
            .await
            .unwrap_or_else(|cause| panic!("no browser: {cause}; {}", chromedriver.shown()));
        driver.set_script_timeout(PATIENCE).await.unwrap();
        driver.set_page_load_timeout(PATIENCE).await.unwrap();
        Self {
            driver: Some(driver),
            chromedriver,
            port,
            _profile: profile,
            _permit: permit,
        }
    }

    /// Ends it. A browser that is only dropped, because its test has failed, ends too.
    pub async fn close(mut self) {
        let driver = self.driver.take().expect("it is not closed twice");
        driver.quit().await.expect("a browser that ends");
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().expect("it is open until it is closed")
    }

    /// Opens a page in the current tab.
    pub async fn open(&self, url: &str) {
        self.driver().goto(url).await.expect("a page");
    }

    /// The tab that is current.
    pub async fn tab(&self) -> Tab {
        Tab(self.driver().window().await.expect("a tab"))
    }

    /// Opens a tab, which becomes the current one.
    pub async fn open_tab(&self) -> Tab {
        let tab = self.driver().new_tab().await.expect("a new tab");
        let tab = Tab(tab);
        self.choose(&tab).await;
        tab
    }

    /// Makes a tab the current one.
    pub async fn choose(&self, tab: &Tab) {
        self.driver()
            .switch_to_window(tab.0.clone())
            .await
            .expect("a tab to choose");
    }

    /// Runs the body of an asynchronous function in the page of the current tab, and gives what it returns. A text that it
    /// throws comes as `{"thrown": …}`.
    pub async fn run(&self, body: &str, arguments: &[Value]) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             (async (...given) => {{ {body} }})(...arguments).then(
                 (value) => done(value === undefined ? null : value), (error) => done({{thrown: String(error)}}));"
        );
        let returned = self.driver().execute_async(script, arguments.to_vec()).await;
        returned.expect("a script that ends").json().clone()
    }

    /// The text that the page of the current tab shows.
    pub async fn text(&self) -> String {
        let body = self
            .driver()
            .find(By::Tag("body"))
            .await
            .expect("a page with a body");
        body.text().await.expect("text")
    }

    /// What the browser keeps under this name for the page of the current tab.
    pub async fn cookie(&self, name: &str) -> Option<KeptCookie> {
        let all = self.driver().get_all_cookies().await.expect("cookies");
        let cookie = all.into_iter().find(|cookie| cookie.name == name)?;
        Some(KeptCookie {
            value: cookie.value,
            http_only: cookie.http_only == Some(true),
            secure: cookie.secure == Some(true),
            same_site: cookie.same_site.map(|same_site| format!("{same_site:?}")),
        })
    }

    /// Drops a cookie, as the browser itself does at the end of its `Max-Age`.
    pub async fn expire_cookie(&self, name: &str) {
        self.driver().delete_cookie(name).await.expect("a cookie to drop");
    }

    /// Keeps a picture of the current tab below `target/chromium`, and says where.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let folder = workspace().root().join("target/chromium");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}.png"));
        self.driver().screenshot(&file).await.expect("a picture");
        // Past the capture of the test's own output, which is shown for a test that fails only.
        writeln!(std::io::stderr(), "screenshot: {}", file.display()).ok();
        file
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            // Its own end would wait for answers that only the runtime of the test, which stands still here, can read.
            driver.leak().ok();
            // The browser leads a process group of its own: its server has to end it.
            let _ = net::exchange(
                self.port,
                b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
                12,
            );
        }
        self.chromedriver.stop();
    }
}

fn start_chromedriver(home: &str) -> (Service, u16) {
    let port = net::free_port().expect("a free port");
    let spec = ServiceSpec {
        name: "chromedriver".to_owned(),
        program: "chromedriver".into(),
        args: vec![format!("--port={port}")],
        // Whatever Chromium writes beside its profile goes with the profile.
        env: ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"]
            .map(|name| (name.to_owned(), home.to_owned()))
            .into(),
        user: None,
        stop: Signal::SIGTERM,
        grace: Duration::from_secs(10),
        probe: Probe::Http {
            port,
            path: "/status",
        },
        deadline: PATIENCE,
        state_dir: state().join(format!("chromium_{}", &fresh_id().simple().to_string()[..8])),
    };
    let mut service = Service::new(&workspace(), spec);
    service.start().expect("chromedriver");
    (service, port)
}

fn workspace() -> Workspace {
    Workspace::find().expect("a checkout")
}
