//! How often a secret may be guessed before nobody is let in any more, and whom a stranger can lock out.
//!
//! Invariants:
//! - Postgres is the truth: a lock is seen by all replicas, outlives a restart, and needs no Redis.
//! - A password may be hashed before it is known whether the attempt is still to be had, but nobody is told what came of it
//!   before it is settled: [`Lockout::pass`] and [`Lockout::fail`] look at the locks once more, and a lock refuses whatever the hash said. However
//!   many guess at once, within a window no more are answered than the limit allows.
//! - What counts together is a group with a row of its own. Rows of one attempt are locked in the order of their keys, after the row of
//!   the account where that is locked too, and before its sessions.
//! - Nobody is named: a row has a MAC for its key, and an address without an account is counted as one with.
//! - A failure that locks an account is audited, and its holder told, in the transaction that counts it: one letter for each lock.
//! - A refusal while the lock is on counts for nothing, so that a lock ends when it was said to.
//! - This room writes `login_failures`; nobody else does.

mod group;
mod model;
mod store;
mod tally;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::hmac;

pub use model::{Attempt, Kind, Locked};
pub use store::purge;

use crate::accounts::{EmailAddress, User};
use crate::audit::{self, Event, EventKind};
use crate::http::RequestContext;
use crate::kernel::config::{Config, LockoutConfig};
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{DeviceId, TenantId, UserId};
use crate::kernel::secrets::SecretsError;
use crate::kernel::time::{Timestamp, rfc3339};
use crate::mail::{Letter, Mailer};

use group::{Group, account_key};
use tally::Rule;

/// How many wrong codes within the window lock the second factor of an account: the HTTP contract says so.
const FACTOR_FAILURES: usize = 10;

/// Counts failures and knows the locks. Cloning shares the key.
#[derive(Clone)]
pub struct Lockout(Arc<Inner>);

struct Inner {
    key: hmac::Key,
    config: LockoutConfig,
}

impl Lockout {
    /// The key of the groups is derived from the master key: under another one all counts begin anew.
    pub fn new(config: &Config) -> Result<Self, SecretsError> {
        let key = config.master_key.derive("lockout-groups")?;
        Ok(Self(Arc::new(Inner {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.expose()),
            config: config.lockout,
        })))
    }

    /// An attempt to sign in to the account with this address, if there is one, from a device that it does not know. It counts for the
    /// account and for the client.
    #[must_use]
    pub fn by_stranger(
        &self,
        tenant: TenantId,
        email: &EmailAddress,
        subject: Option<UserId>,
        client: IpAddr,
    ) -> Attempt {
        let account = account_key(&self.0.key, tenant, email.as_str());
        let groups = vec![Group::of_account(account), Group::of_client(&self.0.key, client)];
        Attempt::new(tenant, subject, groups)
    }

    /// An attempt to sign in from a device that the account knows. It counts for that device alone, so that nobody else can lock it
    /// out, be it from the same network.
    #[must_use]
    pub fn on_device(&self, user: &User, device: DeviceId) -> Attempt {
        let account = account_key(&self.0.key, user.tenant_id, &user.email);
        let group = Group::of_device(&self.0.key, account, device);
        Attempt::new(user.tenant_id, Some(user.id), vec![group])
    }

    /// An attempt of who is signed in to name the current password. It counts for all sessions of the account together, and for no
    /// sign-in.
    #[must_use]
    pub fn by_holder(&self, user: &User) -> Attempt {
        let account = account_key(&self.0.key, user.tenant_id, &user.email);
        let group = Group::of_holder(&self.0.key, account);
        Attempt::new(user.tenant_id, Some(user.id), vec![group])
    }

    /// An attempt of who knows the password to answer with a code. It counts for the account, whichever of its sign-ins the code is for.
    #[must_use]
    pub fn at_factor(&self, user: &User) -> Attempt {
        let account = account_key(&self.0.key, user.tenant_id, &user.email);
        let group = Group::of_factor(&self.0.key, account);
        Attempt::new(user.tenant_id, Some(user.id), vec![group])
    }

    /// An attempt of who is signed in to show a code. It counts for all sessions of the account together and for its codes, so that neither way
    /// in makes up for the other; the fewer attempts of the former are used up first.
    #[must_use]
    pub fn by_holder_with_code(&self, user: &User) -> Attempt {
        let account = account_key(&self.0.key, user.tenant_id, &user.email);
        let groups = vec![
            Group::of_holder(&self.0.key, account),
            Group::of_factor(&self.0.key, account),
        ];
        Attempt::new(user.tenant_id, Some(user.id), groups)
    }

    /// The lock that refuses this attempt, if there is one: of several, the one that ends last. For before the work, which it saves.
    pub async fn check(
        &self,
        connection: &mut PgConnection,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<Option<Locked>, sqlx::Error> {
        let found = store::find(connection, &attempt.keys()).await?;
        Ok(found.iter().filter_map(|found| found.lock_at(now)).max())
    }

    /// Settles an attempt whose secret was right: the lock that refuses it all the same, or none, and the failures of its account, device
    /// or holder are forgotten. Those of its client are not, or whoever has one account could guess at all others.
    pub async fn pass(
        &self,
        connection: &mut PgConnection,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<Option<Locked>, sqlx::Error> {
        let found = store::find(connection, &attempt.keys()).await?;
        if let Some(locked) = found.iter().filter_map(|found| found.lock_at(now)).max() {
            return Ok(Some(locked));
        }
        for found in found.iter().filter(|found| found.kind != Kind::Client) {
            store::forget(connection, &found.key, now).await?;
        }
        Ok(None)
    }

    /// Settles an attempt whose secret was wrong, and records `event` about it: the lock that refuses it, or none, and it is counted. Belongs in a
    /// transaction that the caller commits whatever the outcome is, and that locks nothing before it but the account.
    pub async fn fail(
        &self,
        connection: &mut PgConnection,
        mailer: &Mailer,
        context: &RequestContext,
        attempt: &Attempt,
        event: Event,
    ) -> Result<Option<Locked>, sqlx::Error> {
        let now = context.now;
        let mut tallies = Vec::new();
        for group in attempt.groups() {
            let tally = store::lock(connection, group, attempt.tenant, now).await?;
            tallies.push((group, tally));
        }
        let locks = tallies.iter().filter_map(|(group, tally)| {
            let until = tally.lock_at(now)?;
            Some(Locked::new(group.kind, until, now))
        });
        if let Some(locked) = locks.max() {
            audit::record(connection, event.detail("reason", locked.to_string())).await?;
            return Ok(Some(locked));
        }
        audit::record(connection, event).await?;
        for (group, mut tally) in tallies {
            let closed = tally.add(now, self.rule(group.kind));
            store::save(connection, &group.key, &tally, self.0.config.window, now).await?;
            if let Some(until) = closed {
                announce(connection, mailer, context, attempt, group.kind, until).await?;
            }
        }
        Ok(None)
    }

    /// Forgets all failures of these kinds of an account whose row the caller has locked: from wherever, on whichever device. Whether that
    /// ended a lock; `event` is recorded if it did.
    pub async fn lift(
        &self,
        connection: &mut PgConnection,
        user: &User,
        kinds: &[Kind],
        event: Event,
        now: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        let account = account_key(&self.0.key, user.tenant_id, &user.email);
        let ended = store::forget_account(connection, &account, kinds, now).await?;
        if ended > 0 {
            let event = event.tenant(user.tenant_id).subject(user.id);
            audit::record(connection, event.detail("locks", ended)).await?;
        }
        Ok(ended > 0)
    }

    fn rule(&self, kind: Kind) -> Rule {
        let config = &self.0.config;
        Rule {
            failures: match kind {
                Kind::Account | Kind::Device | Kind::Holder => config.failures_per_account,
                Kind::Client => config.failures_per_client,
                Kind::Factor => FACTOR_FAILURES,
            },
            window: config.window,
            lock: config.lock,
        }
    }
}

impl fmt::Debug for Lockout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lockout").finish_non_exhaustive()
    }
}

/// Records that a lock has begun, and tells the account's holder. The letter is enqueued for an address without an account too, where
/// nobody is found to send it to: one job more or less would tell.
async fn announce(
    connection: &mut PgConnection,
    mailer: &Mailer,
    context: &RequestContext,
    attempt: &Attempt,
    kind: Kind,
    until: Timestamp,
) -> Result<(), sqlx::Error> {
    let event = Event::of_request(context, EventKind::SignInLocked)
        .tenant(attempt.tenant)
        .detail("of", kind.as_str())
        .detail("until", rfc3339(until));
    if kind == Kind::Client {
        return audit::record(connection, event).await;
    }
    let event = match attempt.subject {
        Some(subject) => event.subject(subject),
        None => event,
    };
    let letter = Letter::SignInLocked { event: event.id() };
    audit::record(connection, event).await?;
    mailer.enqueue(connection, letter).await
}
