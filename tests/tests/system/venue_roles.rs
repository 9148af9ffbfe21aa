//! Roles at venues from the grant to the application, and the venues that a token has no room for.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Method;
use portcullis_tests::account::{Account, access_token_in, decode, refresh_token_in};
use portcullis_tests::answer::Answer;
use portcullis_tests::lying_origin::LyingOrigin;
use portcullis_tests::own_stack::{OwnStack, Wanted, portcullis};
use portcullis_tests::world::{Door, state};
use portcullis_tests::{eventually, fresh_id};
use serde_json::{Value, json};
use xtask::stack::Part;

/// How late the edge may know of a change, by the design.
const LATEST: Duration = Duration::from_secs(5);
/// How long a busy machine may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many venues a token names.
const NAMED: usize = 32;

async fn operator(state: &Path, arguments: &[&str]) {
    let done = portcullis(state, arguments).await;
    assert!(done.status.success(), "{done:?}");
}

async fn grant(by: &Account, token: &str, venue: &str, user: &str, role: &str) -> Answer {
    let path = format!("/auth/venues/{venue}/roles");
    let body = json!({"userId": user, "role": role});
    by.client.post(&path).bearer(token).json(&body).send().await
}

async fn revoke(by: &Account, token: &str, venue: &str, user: &str) -> Answer {
    let path = format!("/auth/venues/{venue}/roles/{user}");
    by.client.call(Method::DELETE, &path).bearer(token).send().await
}

async fn tickets(by: &Account, token: &str, venue: &str) -> Answer {
    let path = format!("/api/venues/{venue}/tickets");
    by.client.get(&path).bearer(token).send().await
}

/// The roles by venue that the upstream was told of.
fn told(answer: &Answer) -> Value {
    let seen = answer.json();
    let headers = seen["headers"].as_array().expect("the upstream's answer");
    let header = headers.iter().find(|header| header[0] == "x-auth-venue-roles");
    serde_json::from_str(header.unwrap()[1].as_str().unwrap()).unwrap()
}

async fn refused_as_stale(by: &Account, token: &str, venue: &str) {
    let began = Instant::now();
    eventually(
        "the edge refuses the token",
        Duration::from_secs(10),
        async || {
            let answer = tickets(by, token, venue).await;
            (answer.status != 200).then(|| answer.problem(401, "invalid_token"))
        },
    )
    .await;
    assert!(began.elapsed() < LATEST, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_role_opens_its_venue_at_the_edge_until_it_is_taken_away() {
    let owner = Account::register(&Door::edge()).await;
    let staff = Account::register(&Door::edge()).await;
    let venue = fresh_id().to_string();
    let before = staff.access_token();
    tickets(&staff, before, &venue).await.problem(403, "forbidden");
    let granting = [
        "roles",
        "grant",
        "--user",
        &owner.email,
        "--venue",
        &venue,
        "--role",
        "venue-owner",
    ];
    operator(&state(), &granting).await;
    let owner_token = access_token_in(&owner.refresh(owner.refresh_token()).await.expect(200));
    tickets(&owner, &owner_token, &venue).await.expect(200);

    grant(&owner, &owner_token, &venue, staff.id(), "door-staff")
        .await
        .expect(201);
    let refreshed = staff.refresh(staff.refresh_token()).await.expect(200);
    let token = access_token_in(&refreshed);
    let answer = tickets(&staff, &token, &venue).await.expect(200);
    assert_eq!(told(&answer), json!({&venue: ["door-staff"]}));
    let events = format!("/api/venues/{venue}/events");
    let events = staff
        .client
        .post(&events)
        .bearer(&token)
        .json(&json!({}))
        .send()
        .await;
    events.problem(403, "forbidden");
    tickets(&staff, &token, &fresh_id().to_string())
        .await
        .problem(403, "forbidden");

    revoke(&owner, &owner_token, &venue, staff.id()).await.expect(204);
    refused_as_stale(&staff, &token, &venue).await;
    let token = access_token_in(&staff.refresh(&refresh_token_in(&refreshed)).await.expect(200));
    tickets(&staff, &token, &venue).await.problem(403, "forbidden");
}

fn venue(number: usize) -> String {
    format!("44444444-4444-7444-8444-{number:012}")
}

/// A system in which somebody works at forty venues, of which their token names 32.
struct Forty {
    between: LyingOrigin,
    stack: OwnStack,
    admin: Account,
    admin_token: String,
    staff: Account,
    token: String,
    refresh_token: String,
    turned_away: AtomicUsize,
}

impl Forty {
    async fn start(name: &str) -> Self {
        let between = LyingOrigin::start().await;
        let stack = Wanted::behind(&between).start(name).await;
        let (admin, staff) = (
            Account::register(&stack.edge()).await,
            Account::register(&stack.edge()).await,
        );
        operator(stack.state_dir(), &["users", "role", &admin.email, "admin"]).await;
        let admin_token = access_token_in(&admin.refresh(admin.refresh_token()).await.expect(200));
        for number in 0..40 {
            grant(&admin, &admin_token, &venue(number), staff.id(), "door-staff")
                .await
                .expect(201);
        }
        let refreshed = staff.refresh(staff.refresh_token()).await.expect(200);
        let token = access_token_in(&refreshed);
        let (_, claims) = decode(&token);
        assert_eq!(claims["venues"].as_object().unwrap().len(), NAMED);
        assert_eq!(claims["venues_truncated"], true);
        Self {
            between,
            stack,
            admin,
            admin_token,
            staff,
            token,
            refresh_token: refresh_token_in(&refreshed),
            turned_away: AtomicUsize::new(0),
        }
    }

    async fn tickets(&self, venue: &str) -> Answer {
        self.tickets_with(&self.token, venue).await
    }

    /// Asks for tickets until the origin has said in time what the token does not: on a busy machine it may take too long.
    async fn tickets_with(&self, token: &str, venue: &str) -> Answer {
        eventually("the origin says it in time", PATIENCE, async || {
            let answer = tickets(&self.staff, token, venue).await;
            if answer.status != 503 {
                return Some(answer);
            }
            answer.problem(503, "unavailable");
            self.turned_away.fetch_add(1, Ordering::Relaxed);
            None
        })
        .await
    }

    /// How often a request was turned away, each after at most one question in vain.
    fn turned_away(&self) -> usize {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// How many questions reach the origin while `work` is done, and how long that takes.
    async fn questions(&self, work: impl Future<Output = ()>) -> (usize, Duration) {
        let (before, began) = (self.between.asked_about_venues(), Instant::now());
        work.await;
        (self.between.asked_about_venues() - before, began.elapsed())
    }

    /// Asks for tickets at one venue again and again; the origin is asked about it once in five seconds of its clock at most.
    async fn ask_often(&self, venue: &str, status: u16) {
        let before = self.turned_away();
        let (asked, took) = self
            .questions(async {
                for _ in 0..10 {
                    self.tickets(venue).await.expect(status);
                }
            })
            .await;
        let in_vain = self.turned_away() - before;
        println!("ten requests for {venue} in {took:?}: {asked} questions, {in_vain} in vain");
        assert!(
            asked >= 1 && asked <= 1 + (seconds(took) + 1) / 5 + in_vain,
            "{asked} in {took:?}, {in_vain} in vain"
        );
    }
}

fn seconds(span: Duration) -> usize {
    usize::try_from(span.as_secs()).unwrap()
}

#[tokio::test]
async fn a_venue_that_a_token_has_no_room_for_is_asked_about_once_in_five_seconds() {
    let forty = Forty::start("forty_venues").await;
    let (asked, _) = forty
        .questions(async {
            for number in 0..NAMED {
                forty.tickets(&venue(number)).await.expect(200);
            }
            for no_venue in ["first", "44444444444474448444000000000039", "*"] {
                forty.tickets(no_venue).await.problem(403, "forbidden");
            }
        })
        .await;
    assert_eq!(asked, 0, "about what the token names, and about what is no venue");
    forty.ask_often(&venue(35), 200).await;
    forty.ask_often(&venue(77), 403).await;
    let told = told(&forty.tickets(&venue(39)).await.expect(200));
    assert_eq!(
        (told.as_object().unwrap().len(), &told[venue(39)]),
        (NAMED + 1, &json!(["door-staff"]))
    );

    let before = forty.turned_away();
    let (asked, took) = forty
        .questions(async {
            for answer in join_all((0..8).map(|_| async { forty.tickets(&venue(34)).await })).await {
                answer.expect(200);
            }
        })
        .await;
    let in_vain = forty.turned_away() - before;
    assert!(
        asked >= 1 && asked <= 1 + seconds(took) / 2 + in_vain,
        "{asked} questions for eight at once in {took:?}, {in_vain} in vain"
    );

    let mut turned_away = 0;
    let (asked, took) = forty
        .questions(async {
            for number in 1000..1060 {
                let answer = tickets(&forty.staff, &forty.token, &venue(number)).await;
                if answer.status == 503 {
                    answer.problem(503, "unavailable");
                    assert_eq!(answer.retry_after(), 1);
                    turned_away += 1;
                } else {
                    answer.problem(403, "forbidden");
                }
            }
        })
        .await;
    println!("60 made-up venues in {took:?}: {asked} questions, {turned_away} turned away");
    // Who asked in vain was turned away as well.
    assert!(asked + turned_away >= 60, "{asked} and {turned_away}");
    assert!(asked <= 10 * (seconds(took) + 2), "{asked} in {took:?}");
    forty.tickets(&venue(0)).await.expect(200);

    revoke(&forty.admin, &forty.admin_token, &venue(35), forty.staff.id())
        .await
        .expect(204);
    // The token is stale, or the origin is asked anew, whichever comes first.
    eventually("the venue is closed", LATEST, async || {
        let answer = tickets(&forty.staff, &forty.token, &venue(35)).await;
        (answer.status != 200).then_some(())
    })
    .await;
    let token = access_token_in(&forty.staff.refresh(&forty.refresh_token).await.expect(200));
    forty
        .tickets_with(&token, &venue(35))
        .await
        .problem(403, "forbidden");
    forty.tickets_with(&token, &venue(36)).await.expect(200);
}

#[tokio::test]
async fn without_the_origin_a_venue_that_the_token_does_not_name_stays_closed_and_the_others_open() {
    let mut forty = Forty::start("forty_without_origin").await;
    forty.between.be_silent_about_venues(true);
    let began = Instant::now();
    let answer = tickets(&forty.staff, &forty.token, &venue(39)).await;
    answer.problem(503, "unavailable");
    assert_eq!(answer.retry_after(), 1);
    println!("an origin that says nothing: 503 after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    forty.tickets(&venue(0)).await.expect(200);
    forty.between.be_silent_about_venues(false);
    eventually("the origin is asked again", Duration::from_secs(10), async || {
        let answer = tickets(&forty.staff, &forty.token, &venue(39)).await;
        (answer.status == 200).then_some(())
    })
    .await;

    forty.stack.kill(Part::Origin).await;
    tickets(&forty.staff, &forty.token, &venue(38))
        .await
        .problem(503, "unavailable");
    forty.tickets(&venue(0)).await.expect(200);
}

#[tokio::test]
async fn what_the_origin_tells_the_edge_is_told_to_nobody_else() {
    let account = Account::register(&Door::edge()).await;
    let query = format!(
        "tenant={}&subject={}&venue={}",
        fresh_id(),
        account.id(),
        fresh_id()
    );
    let path = format!("/edge/venue-roles?{query}");
    let answer = account
        .client
        .get(&path)
        .bearer(account.access_token())
        .send()
        .await;
    answer.problem(404, "not_found");
    let direct = Door::origin()
        .client()
        .get(&path)
        .bearer(account.access_token())
        .send()
        .await;
    direct.problem(401, "invalid_edge_signature");
}
