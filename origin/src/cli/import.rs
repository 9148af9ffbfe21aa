//! `portcullis users import`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use secrecy::SecretString;
use serde::Deserialize;

use crate::accounts::{self, AccountRecord, ImportedAccount};
use crate::audit::{self, Event, EventKind};
use crate::kernel::clock::{Clock as _, SystemClock};
use crate::kernel::config::Config;
use crate::kernel::db::Pool;
use crate::kernel::ids::{Id as _, TenantId, UserId};
use crate::kernel::random::SystemEntropy;

use super::{Attempt, CliError, connect, say};

/// Bytes of a line. A record has a few hundred.
const MOST_BYTES: u64 = 64 * 1024;
/// Accounts that are committed together.
const BATCH: usize = 200;
/// Lines from one word about the progress to the next.
const PACE: u64 = 10_000;

/// One line of the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    email: Option<String>,
    #[serde(alias = "email_verified")]
    email_verified: Option<bool>,
    #[serde(alias = "password_hash")]
    password_hash: Option<SecretString>,
    #[serde(alias = "first_name")]
    first_name: Option<String>,
    #[serde(alias = "last_name")]
    last_name: Option<String>,
    phone: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

/// What became of the lines.
#[derive(Default)]
struct Tally {
    lines: u64,
    imported: u64,
    there: u64,
    unusable: u64,
    /// Fields that nothing is known about, with how many lines have them.
    left_out: BTreeMap<String, u64>,
}

/// Imports a file, or only checks it.
pub(super) async fn run(
    config: &Config,
    file: &Path,
    tenant: Option<&str>,
    check_only: bool,
) -> Result<(), CliError> {
    let mut input = open(file).attempt("the file cannot be read")?;
    let pool = connect(config)?;
    let tenant = {
        let mut connection = pool.acquire().await.attempt("the database cannot be reached")?;
        accounts::tenant(&mut connection, tenant.unwrap_or(&config.default_tenant))
            .await
            .attempt("the tenant cannot be found")?
    };
    let mut tally = Tally::default();
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(line) = next_line(&mut input).attempt("the file cannot be read")? {
        tally.lines = tally.lines.saturating_add(1);
        match read(&line, &mut tally.left_out) {
            Ok(Some(account)) => batch.push(account),
            Ok(None) => {}
            Err(why) => {
                tally.unusable = tally.unusable.saturating_add(1);
                eprintln!("line {}: {why}", tally.lines);
            }
        }
        if batch.len() >= BATCH {
            store(&pool, tenant, &mut batch, check_only, &mut tally).await?;
        }
        if tally.lines % PACE == 0 {
            eprintln!("{} lines so far", tally.lines);
        }
    }
    store(&pool, tenant, &mut batch, check_only, &mut tally).await?;
    tally.tell(check_only)
}

fn open(file: &Path) -> io::Result<Box<dyn BufRead>> {
    Ok(if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file)?))
    })
}

/// The next line without its end; what is beyond the longest that a line may be is passed over. `None` at the end.
fn next_line(input: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if input.take(MOST_BYTES).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

/// The account of a line; `None` for a line with nothing on it. What is wrong repeats nothing of the line.
fn read(line: &[u8], left_out: &mut BTreeMap<String, u64>) -> Result<Option<ImportedAccount>, String> {
    if u64::try_from(line.len()).is_ok_and(|length| length >= MOST_BYTES) {
        return Err("is longer than 64 KiB".to_owned());
    }
    let text = str::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Ok(None);
    }
    let line: Line = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            "is a JSON document, but has a field of the wrong type, or one twice".to_owned()
        }
        _ => format!("is not JSON, from column {} on", error.column()),
    })?;
    for field in line.others.into_keys() {
        let count = left_out.entry(field).or_default();
        *count = count.saturating_add(1);
    }
    let record = AccountRecord {
        email: line.email,
        email_verified: line.email_verified,
        password_hash: line.password_hash,
        first_name: line.first_name,
        last_name: line.last_name,
        phone: line.phone,
    };
    record.check().map(Some).map_err(|unfit| unfit.to_string())
}

/// Makes the accounts of a batch in one transaction, each with its event, and empties the batch.
async fn store(
    pool: &Pool,
    tenant: TenantId,
    batch: &mut Vec<ImportedAccount>,
    check_only: bool,
    tally: &mut Tally,
) -> Result<(), CliError> {
    const FAILED: &str = "the import stopped; run it again to go on";
    // Two imports of the same people take turns at each address instead of waiting for one another.
    batch.sort_by(|one, other| one.address().cmp(other.address()));
    let mut transaction = pool.begin().await.attempt(FAILED)?;
    for account in batch.drain(..) {
        let now = SystemClock.now();
        let id = UserId::generate(now, &SystemEntropy);
        if accounts::import(&mut transaction, id, tenant, &account, now)
            .await
            .attempt(FAILED)?
        {
            let event = Event::of_operator(now, &SystemEntropy, EventKind::Imported);
            audit::record(&mut transaction, event.tenant(tenant).subject(id))
                .await
                .attempt(FAILED)?;
            tally.imported = tally.imported.saturating_add(1);
        } else {
            tally.there = tally.there.saturating_add(1);
        }
    }
    if check_only {
        transaction.rollback().await.attempt(FAILED)
    } else {
        transaction.commit().await.attempt(FAILED)
    }
}

impl Tally {
    /// Says what became of the lines. The answer is no if some could not be used.
    fn tell(&self, check_only: bool) -> Result<(), CliError> {
        let Self {
            imported,
            there,
            unusable,
            ..
        } = self;
        let verb = if check_only {
            "would be imported"
        } else {
            "imported"
        };
        say(format_args!(
            "{imported} {verb}, {there} were there already, {unusable} lines cannot be used"
        ));
        for (field, count) in &self.left_out {
            say(format_args!(
                "left out: the field {field:?} of {count} lines, which nothing is known about"
            ));
        }
        if *unusable > 0 {
            return Err(CliError::Refused);
        }
        Ok(())
    }
}
