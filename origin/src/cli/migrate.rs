//! `portcullis migrate`.

use crate::jobs;
use crate::kernel::config::Config;
use crate::kernel::db::{self, MigrationTurn};

use super::{Attempt, CliError, block_on, say};

/// Applies what is missing: the project's migrations, then those of the job queue.
pub(super) fn run(config: Config) -> Result<(), CliError> {
    block_on(async move {
        let pool = db::connect(&config.database).attempt("the database cannot be reached")?;
        let _turn = MigrationTurn::wait(&config.database)
            .await
            .attempt("the database cannot be reached")?;
        db::MIGRATIONS
            .run(&pool)
            .await
            .attempt("the schema cannot be migrated")?;
        jobs::migrate(&pool)
            .await
            .attempt("the schema cannot be migrated")?;
        pool.close().await;
        say("the schema is up to date");
        Ok(())
    })
}
