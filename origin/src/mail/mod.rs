//! Letters to people, about what happened to their accounts.
//!
//! Invariants:
//! - A letter is a task of the queue, enqueued in the transaction of what it tells of. Its payload names an event of
//!   the audit log, a ticket or a challenge; who is written to, and what stands in the letter, a link's secret or a code
//!   included, is found out when it is sent.
//! - Each letter leaves at least once. Should it leave twice, because the server died in between, both have the same
//!   `Message-ID`.
//! - A deleted account is not written to, but once, about that.
//! - Whatever somebody has typed is escaped, and is not shown at all where a mail program would make a link of it.
//! - No address is logged, nor what a mail server says, since it may quote one.
//! - Where no transport is configured, nothing is enqueued: what happens meanwhile is not told later.

mod compose;
mod content;
mod device;
mod error;
mod model;
mod preview;
mod transport;

use std::sync::Arc;

pub use device::describe as describe_device;
pub use error::{MailError, MailSetupError};
pub use model::{Errand, Letter, LetterKind, Recipient, Registry};
pub use preview::Preview;

use crate::audit;
use crate::jobs::{self, JobError};
use crate::kernel::config::Config;
use crate::kernel::db::{PgConnection, Pool};
use crate::kernel::time::Timestamp;

use compose::{Found, Stationery};
use model::Subject;
use transport::Transport;

/// Takes letters in and sends them. Cloning shares it.
#[derive(Clone)]
pub struct Mailer(Option<Arc<Office>>);

struct Office {
    stationery: Stationery,
    transport: Transport,
}

impl Mailer {
    /// Connects to nobody yet. Without `[mail]`, mail is off.
    pub fn new(config: &Config) -> Result<Self, MailSetupError> {
        let Some(mail) = &config.mail else {
            return Ok(Self(None));
        };
        Ok(Self(Some(Arc::new(Office {
            stationery: Stationery::new(mail, config.accounts.purge_after),
            transport: Transport::new(mail)?,
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

    /// Sends a letter that was enqueued.
    pub async fn send(
        &self,
        pool: &Pool,
        letter: Letter,
        now: Timestamp,
        registry: &impl Registry,
    ) -> Result<(), JobError> {
        let Some(office) = &self.0 else {
            return Err(MailError::Off.into_job_error());
        };
        let found = {
            // The connection is given back before a mail server is waited for.
            let mut connection = pool.acquire().await?;
            look_up(&mut connection, letter, now, registry).await?
        };
        let letter_id = letter.identity();
        let Some((recipient, found)) = found else {
            tracing::info!(letter = letter_id, "there is nobody to write to any more");
            return Ok(());
        };
        let mail = office
            .stationery
            .compose(letter, &found, &recipient, now)
            .map_err(MailError::into_job_error)?;
        office
            .transport
            .send(&mail)
            .await
            .map_err(MailError::into_job_error)?;
        tracing::info!(letter = letter_id, "a mail was sent");
        Ok(())
    }
}

/// What a letter is about, and whom it goes to. `None`: one of the two is there no longer.
async fn look_up(
    connection: &mut PgConnection,
    letter: Letter,
    now: Timestamp,
    registry: &impl Registry,
) -> Result<Option<(Recipient, Found)>, JobError> {
    let (tenant, user, found) = match letter.subject() {
        Subject::Event(id) => match audit::find(connection, id).await? {
            Some(event) => (event.tenant, event.subject, Found::Event(event)),
            None => return Ok(None),
        },
        Subject::Ticket(id) => match registry.errand(connection, id, now).await? {
            Some(errand) => (Some(errand.tenant), Some(errand.user), Found::Errand(errand)),
            None => return Ok(None),
        },
        Subject::Challenge(id) => match registry.sign_in_code(connection, id, now).await? {
            Some(errand) => (Some(errand.tenant), Some(errand.user), Found::Errand(errand)),
            None => return Ok(None),
        },
    };
    let Some((tenant, user)) = tenant.zip(user) else {
        return Ok(None);
    };
    let recipient = if letter.is_a_farewell() {
        registry.last_recipient(connection, tenant, user).await?
    } else {
        registry.recipient(connection, tenant, user).await?
    };
    Ok(recipient.map(|recipient| (recipient, found)))
}
