//! Letters to people, about what happened to their accounts.
//!
//! Invariants:
//! - A letter is a task of the queue, enqueued in the transaction of what it tells of. Its payload names an event of
//!   the audit log; who is written to, and what stands in the letter, is read when it is sent.
//! - Each letter leaves at least once. Should it leave twice, because the server died in between, both have the same
//!   `Message-ID`.
//! - A deleted account is not written to.
//! - Whatever somebody has typed is escaped, and is not shown at all where a mail program would make a link of it.
//! - No address is logged, nor what a mail server says, since it may quote one.
//! - Where no transport is configured, nothing is enqueued: what happens meanwhile is not told later.

mod compose;
mod device;
mod error;
mod model;
mod transport;

use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use error::{MailError, MailSetupError};
pub use model::{Letter, Recipient};

use crate::audit;
use crate::jobs::{self, JobError};
use crate::kernel::config::MailConfig;
use crate::kernel::db::{PgConnection, Pool};
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::time::Timestamp;

use compose::Stationery;
use transport::Transport;

/// Takes letters in and sends them. Cloning shares it.
#[derive(Clone)]
pub struct Mailer(Option<Arc<Office>>);

struct Office {
    stationery: Stationery,
    transport: Transport,
}

impl Mailer {
    /// Connects to nobody yet. `None`: mail is off.
    pub fn new(config: Option<&MailConfig>) -> Result<Self, MailSetupError> {
        let Some(config) = config else {
            return Ok(Self(None));
        };
        Ok(Self(Some(Arc::new(Office {
            stationery: Stationery::new(config),
            transport: Transport::new(config)?,
        }))))
    }

    /// Whether people are written to at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Sees to it that the letter is sent if the caller's transaction commits. Does nothing while mail is off.
    pub async fn enqueue(&self, connection: &mut PgConnection, letter: Letter) -> Result<(), sqlx::Error> {
        if self.is_on() {
            jobs::enqueue(connection, &letter).await?;
        }
        Ok(())
    }

    /// Sends a letter that was enqueued. `find_recipient` finds the account of a user, unless it was deleted.
    pub async fn send<E>(
        &self,
        pool: &Pool,
        letter: Letter,
        now: Timestamp,
        find_recipient: impl for<'c> Fn(
            &'c mut PgConnection,
            TenantId,
            UserId,
        ) -> BoxFuture<'c, Result<Option<Recipient>, E>>,
    ) -> Result<(), JobError>
    where
        JobError: From<E>,
    {
        let Some(office) = &self.0 else {
            return Err("mail is off".into());
        };
        let Letter::SessionEndedByReuse { event: id } = letter;
        let found = {
            // The connection is given back before a mail server is waited for.
            let mut connection = pool.acquire().await?;
            let event = audit::find(&mut connection, id).await?;
            match event.as_ref().and_then(|event| event.tenant.zip(event.subject)) {
                Some((tenant, user)) => find_recipient(&mut connection, tenant, user).await?.zip(event),
                None => None,
            }
        };
        let Some((recipient, event)) = found else {
            tracing::info!(event = %id, "there is nobody to write to any more");
            return Ok(());
        };
        let mail = office
            .stationery
            .compose(letter, &event, &recipient, now)
            .map_err(MailError::into_job_error)?;
        office
            .transport
            .send(&mail)
            .await
            .map_err(MailError::into_job_error)?;
        tracing::info!(event = %id, "a mail was sent");
        Ok(())
    }
}
