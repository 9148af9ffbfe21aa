//! What was asked for, what was committed, and what was sent, held against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use portcullis_tests::mail_server::Delivery;
use portcullis_tests::own_stack::OwnStack;
use serde_json::Value;

use super::load::{Sent, What};

/// Everything that is known once all is quiet.
pub(super) struct Evidence {
    requests: usize,
    accepted: usize,
    in_doubt: usize,
    /// In doubt, and committed all the same.
    in_doubt_committed: usize,
    accounts: usize,
    resets_committed: usize,
    resets_answered: usize,
    letters: usize,
    deliveries: usize,
    /// Letters that a newer one had made pointless before they left.
    superseded: usize,
    lost: Vec<String>,
    invented: Vec<String>,
    wrong: Vec<String>,
}

/// What the database says.
struct Committed {
    accounts: BTreeSet<String>,
    /// Marks of registrations, and of wishes for a new password with whether it was within the limit.
    registered: BTreeSet<String>,
    asked: BTreeMap<String, bool>,
    /// How many links each account was issued.
    offered: BTreeMap<String, usize>,
    /// The letter of the newest link for each purpose, by account.
    verify: BTreeMap<String, String>,
    reset: BTreeMap<String, String>,
    leftovers: i64,
}

impl Committed {
    async fn read(stack: &OwnStack) -> Self {
        let rows = async |sql: &str| {
            let all = stack
                .sql(&format!("SELECT coalesce(json_agg(r), '[]') FROM ({sql}) r"))
                .await;
            all.as_array().unwrap().clone()
        };
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let tickets =
            rows("SELECT email, purpose, replace(purpose, '_', '-') || '-' || id AS letter FROM tickets")
                .await;
        let letters_of = |purpose: &str| {
            let of_purpose = tickets.iter().filter(|row| row["purpose"] == purpose);
            of_purpose
                .map(|row| (text(row, "email"), text(row, "letter")))
                .collect()
        };
        let marks = rows(
            "SELECT user_agent AS mark, type, detail->'answered' AS answered FROM audit_events
             WHERE type IN ('registered', 'password_reset_requested')",
        )
        .await;
        let of_type = |kind: &'static str| marks.iter().filter(move |row| row["type"] == kind);
        let mut offered = BTreeMap::new();
        for row in rows(
            "SELECT email FROM audit_events JOIN users ON users.id = subject_id
             WHERE type = 'password_reset_offered'",
        )
        .await
        {
            *offered.entry(text(&row, "email")).or_default() += 1;
        }
        let leftovers = stack.sql("SELECT count(*) FROM reset_requests").await;
        Self {
            accounts: rows("SELECT email FROM users")
                .await
                .iter()
                .map(|row| text(row, "email"))
                .collect(),
            registered: of_type("registered").map(|row| text(row, "mark")).collect(),
            asked: of_type("password_reset_requested")
                .map(|row| (text(row, "mark"), row["answered"] == true))
                .collect(),
            offered,
            verify: letters_of("verify_email"),
            reset: letters_of("reset_password"),
            leftovers: leftovers.as_i64().unwrap(),
        }
    }

    fn has(&self, sent: &Sent) -> bool {
        match sent.wish.what {
            What::Registration => self.registered.contains(&sent.wish.mark),
            What::Reset => self.asked.contains_key(&sent.wish.mark),
        }
    }
}

impl Evidence {
    pub(super) async fn gather(stack: &OwnStack, sent: &[Sent], deliveries: Vec<Delivery>) -> Self {
        let committed = Committed::read(stack).await;
        let in_doubt = || sent.iter().filter(|sent| sent.status.is_none());
        let mut evidence = Self {
            requests: sent.len(),
            accepted: sent
                .iter()
                .filter(|sent| matches!(sent.status, Some(201 | 202)))
                .count(),
            in_doubt: in_doubt().count(),
            in_doubt_committed: in_doubt().filter(|sent| committed.has(sent)).count(),
            accounts: committed.accounts.len(),
            resets_committed: committed.asked.len(),
            resets_answered: committed.asked.values().filter(|answered| **answered).count(),
            letters: 0,
            deliveries: deliveries.len(),
            superseded: 0,
            lost: Vec::new(),
            invented: Vec::new(),
            wrong: Vec::new(),
        };
        evidence.hold_answers_to(&committed, sent);
        evidence.hold_letters_to(&committed, sent, &deliveries);
        evidence
    }

    /// What was accepted is there, what is there was asked for, and what was refused was refused for a reason.
    fn hold_answers_to(&mut self, committed: &Committed, sent: &[Sent]) {
        for sent in sent {
            let refusal_is_right = || {
                let email = &sent.wish.email;
                committed.accounts.contains(email) && !committed.registered.contains(&sent.wish.mark)
            };
            let is_right = match sent.status {
                None => true,
                Some(409) => refusal_is_right(),
                Some(_) => committed.has(sent),
            };
            if !is_right {
                self.wrong.push(format!("answered, and not so: {sent:?}"));
            }
        }
        let emails: BTreeSet<&String> = sent.iter().map(|sent| &sent.wish.email).collect();
        let strangers = committed.accounts.iter().filter(|email| !emails.contains(email));
        self.wrong
            .extend(strangers.map(|email| format!("nobody registered {email}")));
        if committed.registered.len() != committed.accounts.len() {
            self.wrong.push(format!(
                "{} registrations were committed, of {} accounts",
                committed.registered.len(),
                committed.accounts.len()
            ));
        }
        if committed.leftovers != 0 {
            self.wrong
                .push(format!("{} wishes were never looked at", committed.leftovers));
        }
    }

    /// Each account has the letter of its registration, and those of the links that it was issued.
    fn hold_letters_to(&mut self, committed: &Committed, sent: &[Sent], deliveries: &[Delivery]) {
        let mut letters: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for Delivery { to, identity } in deliveries {
            letters.entry(to).or_default().insert(identity);
        }
        self.letters = letters.values().map(BTreeSet::len).sum();
        for (to, letters) in &letters {
            if !committed.accounts.contains(*to) {
                self.invented
                    .push(format!("{to} has no account, and {letters:?}"));
            }
        }
        for email in &committed.accounts {
            let got = letters.remove(email.as_str()).unwrap_or_default();
            let (verify, reset): (BTreeSet<&str>, BTreeSet<&str>) = got
                .iter()
                .copied()
                .partition(|letter| letter.starts_with("verify-email-"));
            self.hold_to_one(email, "registration", committed.verify.get(email), &verify);

            let answered = sent
                .iter()
                .filter(|sent| sent.wish.email == *email)
                .filter(|sent| committed.asked.get(&sent.wish.mark) == Some(&true))
                .count();
            let offered = committed.offered.get(email).copied().unwrap_or_default();
            if offered != answered || answered > 3 {
                self.wrong.push(format!(
                    "{email} asked {answered} times and was issued {offered} links"
                ));
            }
            match offered {
                0 | 1 => self.hold_to_one(email, "reset", committed.reset.get(email), &reset),
                // A link that was followed by another before its letter left has none. The newest has.
                links => {
                    let newest = committed.reset.get(email).map(String::as_str);
                    if !newest.is_some_and(|newest| reset.contains(newest)) {
                        self.lost.push(format!("{email}: reset, {newest:?}"));
                    }
                    if reset.len() > links {
                        self.invented.push(format!("{email}: {links} links, {reset:?}"));
                    }
                    self.superseded += links.saturating_sub(reset.len());
                }
            }
        }
    }

    /// The letter that is owed was sent, and no other.
    fn hold_to_one(&mut self, email: &str, what: &str, owed: Option<&String>, got: &BTreeSet<&str>) {
        if what == "registration" && owed.is_none() {
            self.lost.push(format!("{email}: {what}, and no link"));
        }
        if let Some(owed) = owed.filter(|owed| !got.contains(owed.as_str())) {
            self.lost.push(format!("{email}: {what}, {owed}"));
        }
        let others = got
            .iter()
            .filter(|letter| owed.is_none_or(|owed| owed != *letter));
        self.invented
            .extend(others.map(|letter| format!("{email}: {what}, {letter}")));
    }

    #[track_caller]
    pub(super) fn assert_exact(&self) {
        assert!(self.lost.is_empty(), "lost: {:#?}", self.lost);
        assert!(self.invented.is_empty(), "invented: {:#?}", self.invented);
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        // Otherwise it was never killed while it worked, and all of this says nothing.
        assert!(self.in_doubt > 0 && self.in_doubt < self.requests, "{self}");
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repeated = self.deliveries - self.letters;
        writeln!(
            f,
            "{} requests: {} accepted, {} in doubt, of which {} were committed",
            self.requests, self.accepted, self.in_doubt, self.in_doubt_committed
        )?;
        writeln!(
            f,
            "{} accounts, {} wishes for a new password, {} within the limit",
            self.accounts, self.resets_committed, self.resets_answered
        )?;
        writeln!(
            f,
            "{} letters, {repeated} of them delivered once more under the same Message-ID; {} were superseded unsent",
            self.letters, self.superseded
        )?;
        write!(f, "{} lost, {} invented", self.lost.len(), self.invented.len())
    }
}
