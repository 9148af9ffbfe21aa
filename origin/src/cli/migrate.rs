//! `portcullis migrate`.

use crate::audit;
use crate::jobs;
use crate::kernel::clock::{Clock as _, SystemClock};
use crate::kernel::config::Config;
use crate::kernel::db::{self, MigrationTurn};

use super::{Attempt, CliError, block_on, say};

/// Applies what is missing: the project's migrations, then those of the job queue, and the coming months of the audit log.
pub(super) fn run(config: Config) -> Result<(), CliError> {
    block_on(async move {
        let pool = db::connect(&config.database).attempt("the database cannot be reached")?;
        let _turn = MigrationTurn::wait(&config.database)
            .await
            .attempt("the database cannot be reached")?;
        db::MIGRATIONS
            .run(pool.connections())
            .await
            .attempt("the schema cannot be migrated")?;
        jobs::migrate(pool.connections())
            .await
            .attempt("the schema cannot be migrated")?;
        let mut connection = pool.acquire().await.attempt("the database cannot be reached")?;
        audit::prepare(&mut connection, SystemClock.now())
            .await
            .attempt("the audit log has no room for the months to come")?;
        drop(connection);
        pool.close().await;
        say("the schema is up to date");
        Ok(())
    })
}
