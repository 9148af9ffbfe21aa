//! People who register and who have forgotten their passwords, until the origin is gone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt as _;
use portcullis_tests::account::{fresh_email, fresh_password, registration};
use portcullis_tests::client::Client;
use portcullis_tests::world::Door;
use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;
use serde_json::json;
use tokio::sync::watch;

/// Requests that are under way at once.
const LANES: usize = 8;
/// Requests of one life of the origin, if it lasts so long.
pub(super) const REQUESTS: usize = 40;
/// Accounts whose holders ask for a new password again and again: more often than anybody is written to.
const FORGETFUL: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Registration,
    Reset,
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) what: What,
    pub(super) email: String,
    /// Its `User-Agent`, by which the audit log tells whether it was committed.
    pub(super) mark: String,
}

/// A wish that was sent, and the status of the answer. `None`: in doubt, since the origin died first, or was too busy and said so.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) wish: Wish,
    pub(super) status: Option<u16>,
}

/// Draws what people ask for, and remembers what came of it.
pub(super) struct People {
    pub(super) sent: Vec<Sent>,
    drawn: usize,
    /// They have an account, and have not asked for a new password yet.
    known: VecDeque<String>,
    forgetful: Vec<String>,
    /// They were not told whether they have an account.
    doubtful: VecDeque<String>,
}

impl People {
    pub(super) fn new() -> Self {
        Self {
            sent: Vec::new(),
            drawn: 0,
            known: VecDeque::new(),
            forgetful: Vec::new(),
            doubtful: VecDeque::new(),
        }
    }

    /// What is asked for in one life of the origin.
    pub(super) fn wishes(&mut self, random: &mut TestRng) -> Vec<Wish> {
        (0..REQUESTS).map(|_| self.wish(random)).collect()
    }

    fn wish(&mut self, random: &mut TestRng) -> Wish {
        let (what, email) = match random.random_range(0..10) {
            // Whoever was not answered tries again, as anybody would.
            0 | 1 => (What::Registration, self.doubtful.pop_front()),
            2 | 3 => (What::Reset, self.known.pop_front()),
            4 => {
                let forgetful = random.random_range(0..FORGETFUL);
                (What::Reset, self.forgetful.get(forgetful).cloned())
            }
            // A stranger's address.
            5 => (What::Reset, Some(fresh_email())),
            _ => (What::Registration, Some(fresh_email())),
        };
        // Where there is nobody yet who could ask for that, somebody registers.
        let (what, email) = email.map_or_else(|| (What::Registration, fresh_email()), |email| (what, email));
        self.drawn += 1;
        let mark = format!("wish-{}", self.drawn);
        Wish { what, email, mark }
    }

    /// Notes what came of wishes.
    pub(super) fn note(&mut self, sent: Vec<Sent>) {
        for Sent { wish, status } in &sent {
            match (wish.what, status) {
                (What::Registration, None) => self.doubtful.push_back(wish.email.clone()),
                (What::Registration, Some(_)) if self.forgetful.len() < FORGETFUL => {
                    self.forgetful.push(wish.email.clone());
                }
                (What::Registration, Some(_)) => self.known.push_back(wish.email.clone()),
                (What::Reset, _) => {}
            }
        }
        self.sent.extend(sent);
    }
}

/// Sends the wishes, some at a time, and counts the answers. Nothing more is sent once the origin is `dead`.
pub(super) async fn send(
    door: Door,
    wishes: Vec<Wish>,
    answers: watch::Sender<usize>,
    dead: Arc<AtomicBool>,
) -> Vec<Sent> {
    // A connection of the life before would be found dead.
    let client = door.client();
    futures_util::stream::iter(wishes)
        .take_while(|_| std::future::ready(!dead.load(Ordering::SeqCst)))
        .map(|wish| send_one(&client, wish, &answers))
        .buffer_unordered(LANES)
        .collect()
        .await
}

async fn send_one(client: &Client, wish: Wish, answers: &watch::Sender<usize>) -> Sent {
    let call = match wish.what {
        What::Registration => client
            .post("/auth/register")
            .json(&registration(&wish.email, &fresh_password())),
        What::Reset => client
            .post("/auth/forgot-password")
            .json(&json!({"email": wish.email})),
    };
    let answer = call.header("user-agent", &wish.mark).try_send().await;
    if answer.is_some() {
        answers.send_modify(|count| *count += 1);
    }
    let promised = answer.filter(|answer| answer.status != 503);
    let status = promised.map(|answer| {
        let expected: &[u16] = match wish.what {
            // The second only to who was in doubt; that is held against what was committed.
            What::Registration => &[201, 409],
            What::Reset => &[202],
        };
        let status = answer.status.as_u16();
        assert!(expected.contains(&status), "{wish:?}: {answer:?}");
        status
    });
    Sent { wish, status }
}
