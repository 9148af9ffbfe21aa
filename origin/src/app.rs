//! The wiring: which room gets what. Nothing imports this but the command line and the tests.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::accounts::password::PasswordRules;
use crate::audit::{self, Event, EventKind};
use crate::device_keys::{self, Challenges};
use crate::http::AppState;
use crate::jobs::{JobError, Jobs};
use crate::kernel::clock::Clock;
use crate::kernel::config::Config;
use crate::kernel::db::{self, PgConnection};
use crate::kernel::http_client::HttpClientError;
use crate::kernel::ids::{ChallengeId, TenantId, TicketId, UserId};
use crate::kernel::passwords::{Hasher, HasherError};
use crate::kernel::random::Entropy;
use crate::kernel::redis::Redis;
use crate::kernel::secrets::SecretsError;
use crate::kernel::time::Timestamp;
use crate::lockout::{self, Lockout};
use crate::mail::{Errand, Letter, MailSetupError, Mailer, Recipient, Registry};
use crate::mfa::{self, Factors, MailCodes};
use crate::rate_limit::Limiter;
use crate::recovery::{ResetRequested, Tickets};
use crate::sessions::{self, Lifetimes, Sessions};
use crate::tokens::{CsrfKeyError, CsrfTokens, KeysError, Tokens};
use crate::{
    access, account_export, accounts, clients, devices, feed, http, login, permissions, profile, rbac,
    recovery, revocations, tokens,
};

/// The state of all rooms.
#[derive(Clone, FromRef)]
pub struct App {
    core: AppState,
    device_challenges: Challenges,
    csrf: CsrfTokens,
    factors: Factors,
    limiter: Limiter,
    lockout: Lockout,
    mail_codes: MailCodes,
    mailer: Mailer,
    password_rules: PasswordRules,
    sessions: Sessions,
    tickets: Tickets,
    tokens: Tokens,
}

/// Why the parts do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database URL cannot be used.
    #[error("the connection to Postgres cannot be set up")]
    Database(#[from] sqlx::Error),
    /// The Redis URL cannot be used.
    #[error("the connection to Redis cannot be set up")]
    Redis(#[from] redis::RedisError),
    /// Argon2 does not accept the configured cost.
    #[error("the password hasher cannot be set up")]
    Hasher(#[from] HasherError),
    /// The mail server's certificate could not be checked.
    #[error("mail cannot be set up")]
    Mail(#[from] MailSetupError),
    /// Whoever knows stolen passwords cannot be asked.
    #[error("requests about stolen passwords cannot be set up")]
    HttpClient(#[from] HttpClientError),
    /// A key could not be derived from the master key.
    #[error("keys cannot be derived from the master key")]
    Secrets(#[from] SecretsError),
    /// There is no key for CSRF tokens.
    #[error("the key of CSRF tokens cannot be made")]
    Csrf(#[from] CsrfKeyError),
}

impl App {
    /// Puts everything together. Neither Postgres nor Redis needs to be there yet. Must be called within a Tokio
    /// runtime.
    pub fn new(config: Config, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, StartError> {
        let pool = db::connect(&config.database)?;
        let redis = Redis::connect(&config.redis)?;
        let hasher = Hasher::new(&config.passwords.hasher)?;
        Ok(Self {
            device_challenges: Challenges::new(&config)?,
            csrf: CsrfTokens::new(&config.edge_keys, &config.master_key)?,
            factors: Factors::new(config.master_key.clone()),
            limiter: Limiter::new(redis.clone(), &config.master_key)?,
            lockout: Lockout::new(&config)?,
            mail_codes: MailCodes::new(&config)?,
            mailer: Mailer::new(&config)?,
            password_rules: PasswordRules::new(&config.passwords)?,
            sessions: Sessions::new(config.master_key.clone(), Lifetimes::from(&config.tokens)),
            tickets: Tickets::new(&config)?,
            tokens: Tokens::new(&config.tokens, pool.clone(), config.master_key.clone()),
            core: AppState::new(config, pool, redis, hasher, clock, entropy),
        })
    }

    /// What all rooms share.
    #[must_use]
    pub fn core(&self) -> &AppState {
        &self.core
    }

    /// The maker and verifier of access tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Who writes to people.
    #[must_use]
    pub fn mailer(&self) -> &Mailer {
        &self.mailer
    }

    /// Makes the first signing key where there is none yet.
    pub async fn prepare(&self) -> Result<(), KeysError> {
        self.tokens
            .prepare(self.core.clock().now(), &*self.core.entropy())
            .await
    }

    /// All routes.
    pub fn router(&self) -> Router {
        let routes = Router::new()
            .merge(tokens::router::<Self>())
            .merge(access::router::<Self>())
            .merge(feed::router::<Self>())
            .merge(clients::router::<Self>())
            .merge(permissions::router::<Self>())
            .merge(profile::router::<Self>())
            .merge(device_keys::router::<Self>())
            .merge(mfa::router::<Self>())
            .merge(recovery::router::<Self>())
            .merge(account_export::router::<Self>())
            .merge(login::router::<Self>());
        let guarded = routes.layer(from_fn_with_state(self.clone(), tokens::guard::<Self>));
        http::application(guarded, self.clone())
    }

    /// Runs the jobs until `stop`.
    pub async fn run_jobs(&self, stop: CancellationToken) {
        let jobs = Jobs::new(self.clone(), self.core.clock())
            .duty("purge_expired_sessions", "17 * * * *", purge_expired_sessions)
            .duty("purge_unseen_devices", "27 * * * *", purge_unseen_devices)
            .duty(
                "purge_expired_revocations",
                "*/10 * * * *",
                purge_expired_revocations,
            )
            .duty(
                "purge_expired_venue_roles",
                "*/10 * * * *",
                purge_expired_venue_roles,
            )
            .duty("purge_expired_tickets", "*/10 * * * *", purge_expired_tickets)
            .duty(
                "purge_expired_challenges",
                "*/10 * * * *",
                purge_expired_challenges,
            )
            .duty("purge_login_failures", "*/10 * * * *", purge_login_failures)
            .duty("purge_deleted_accounts", "37 * * * *", purge_deleted_accounts)
            .duty("keep_audit_log", "41 3 * * *", keep_audit_log)
            .duty("rotate_signing_keys", "*/5 * * * *", rotate_signing_keys);
        // Letters of replicas that can write wait for one of those.
        let jobs = if self.mailer.is_on() {
            jobs.task(send_letter).task(answer_reset_request)
        } else {
            jobs
        };
        jobs.run(self.core.pool().connections().clone(), stop).await;
    }
}

/// Letters ask the rooms that own what they are about.
impl Registry for App {
    fn recipient<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        tenant: TenantId,
        user: UserId,
    ) -> BoxFuture<'c, Result<Option<Recipient>, JobError>> {
        async move { Ok(accounts::find_recipient(connection, tenant, user).await?) }.boxed()
    }

    fn last_recipient<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        tenant: TenantId,
        user: UserId,
    ) -> BoxFuture<'c, Result<Option<Recipient>, JobError>> {
        async move { Ok(accounts::find_last_recipient(connection, tenant, user).await?) }.boxed()
    }

    fn errand<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        ticket: TicketId,
        now: Timestamp,
    ) -> BoxFuture<'c, Result<Option<Errand>, JobError>> {
        async move { Ok(self.tickets.errand(connection, ticket, now).await?) }.boxed()
    }

    fn sign_in_code<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        challenge: ChallengeId,
        now: Timestamp,
    ) -> BoxFuture<'c, Result<Option<Errand>, JobError>> {
        async move { Ok(self.mail_codes.errand(connection, challenge, now).await?) }.boxed()
    }
}

async fn purge_expired_sessions(app: App, now: Timestamp) -> Result<u64, JobError> {
    let mut connection = app.core.pool().acquire().await?;
    Ok(sessions::purge_expired(&mut connection, now).await?)
}

async fn purge_unseen_devices(app: App, now: Timestamp) -> Result<u64, JobError> {
    let mut connection = app.core.pool().acquire().await?;
    Ok(devices::purge_unseen(&mut connection, now).await?)
}

async fn send_letter(app: App, now: Timestamp, letter: Letter) -> Result<(), JobError> {
    app.mailer.send(app.core.pool(), letter, now, &app).await
}

async fn answer_reset_request(app: App, now: Timestamp, task: ResetRequested) -> Result<(), JobError> {
    let entropy = app.core.entropy();
    recovery::answer_request(app.core.pool(), &app.tickets, &app.mailer, task, now, &*entropy).await
}

async fn purge_expired_tickets(app: App, now: Timestamp) -> Result<u64, JobError> {
    let mut connection = app.core.pool().acquire().await?;
    Ok(recovery::purge_expired(&mut connection, now).await?)
}

async fn purge_expired_challenges(app: App, now: Timestamp) -> Result<u64, JobError> {
    let mut connection = app.core.pool().acquire().await?;
    let set_ups = mfa::purge_pending(&mut connection, now).await?;
    let spent = device_keys::purge_spent(&mut connection, now).await?;
    Ok(set_ups + spent + mfa::purge_expired(&mut connection, now).await?)
}

async fn purge_login_failures(app: App, now: Timestamp) -> Result<u64, JobError> {
    let mut connection = app.core.pool().acquire().await?;
    Ok(lockout::purge(&mut connection, now).await?)
}

/// Accounts that go in one run of the duty; the others wait for the next.
const MOST_PURGED: u64 = 1000;

/// Each account in a transaction of its own: a run that is interrupted has done what it has done.
async fn purge_deleted_accounts(app: App, now: Timestamp) -> Result<u64, JobError> {
    let before = now - app.core.config().accounts.purge_after;
    let pool = app.core.pool().for_jobs();
    let mut purged = 0;
    while purged < MOST_PURGED {
        let mut transaction = pool.begin().await?;
        let Some(gone) = accounts::purge_one(&mut transaction, before).await? else {
            break;
        };
        audit::pseudonymise(&mut transaction, gone.tenant, gone.user).await?;
        let event = Event::of_operator(now, &*app.core.entropy(), EventKind::AccountPurged);
        audit::record(&mut transaction, event.tenant(gone.tenant).subject(gone.user)).await?;
        transaction.commit().await?;
        purged += 1;
    }
    Ok(purged)
}

async fn purge_expired_revocations(app: App, now: Timestamp) -> Result<u64, JobError> {
    let lifetime = revocations::lifetime(app.core.config().tokens.access_ttl);
    let mut connection = app.core.pool().acquire().await?;
    Ok(revocations::purge_expired(&mut connection, lifetime, now).await?)
}

async fn purge_expired_venue_roles(app: App, now: Timestamp) -> Result<u64, JobError> {
    Ok(rbac::purge_expired(&app.core.pool().for_jobs(), &*app.core.entropy(), now).await?)
}

async fn keep_audit_log(app: App, now: Timestamp) -> Result<u64, JobError> {
    let retention = app.core.config().audit.retention;
    Ok(audit::keep(&app.core.pool().for_jobs(), retention, &*app.core.entropy(), now).await?)
}

async fn rotate_signing_keys(app: App, now: Timestamp) -> Result<u64, JobError> {
    let done = app.tokens.rotate_if_due(now, &*app.core.entropy()).await?;
    let moved = done.removed.len() + usize::from(done.rotation.is_some());
    Ok(moved.try_into().unwrap_or(u64::MAX))
}
