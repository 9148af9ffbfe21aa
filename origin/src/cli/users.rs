//! `portcullis users …`.

use secrecy::ExposeSecret as _;

use crate::access::{self, ChangedRole, ChangedStatus};
use crate::accounts::password::generate;
use crate::accounts::{self, EmailAddress, Role, StatusChange};
use crate::audit::{Event, EventKind};
use crate::kernel::clock::{Clock, SystemClock};
use crate::kernel::config::{Config, ConfigErrors};
use crate::kernel::db::Pool;
use crate::kernel::ids::TenantId;
use crate::kernel::random::SystemEntropy;
use crate::kernel::time::Timestamp;
use crate::lockout::Lockout;
use crate::mail::Mailer;
use crate::mfa;

use super::arguments::{RoleArgument, UserArguments, UsersCommand};
use super::{Attempt, CliError, block_on, connect, import, say};

/// Does what was asked. `load` reads the configuration, which not all of the commands need.
pub(super) fn run(
    load: impl FnOnce() -> Result<Config, ConfigErrors>,
    command: UsersCommand,
) -> Result<(), CliError> {
    block_on(async move {
        match command {
            UsersCommand::Lock(user) => change_status(&load()?, &user, StatusChange::Lock).await,
            UsersCommand::Unlock(user) => change_status(&load()?, &user, StatusChange::Unlock).await,
            UsersCommand::Disable(user) => change_status(&load()?, &user, StatusChange::Disable).await,
            UsersCommand::Enable(user) => change_status(&load()?, &user, StatusChange::Enable).await,
            UsersCommand::RemoveMfa(user) => remove_mfa(&load()?, &user).await,
            UsersCommand::Role { user, role } => change_role(&load()?, &user, role.into()).await,
            UsersCommand::Import { file, tenant, check } => {
                import::run(&load()?, &file, tenant.as_deref(), check).await
            }
            UsersCommand::GeneratePassword { length } => {
                say(generate(&SystemEntropy, length.into()).expose_secret());
                Ok(())
            }
        }
    })
}

async fn change_status(config: &Config, user: &UserArguments, change: StatusChange) -> Result<(), CliError> {
    let Account { pool, tenant, email } = find(config, user).await?;
    let lockout = Lockout::new(config).attempt("the key of the locks cannot be made")?;
    let now = SystemClock.now();
    let event = by_operator(now);
    let changed = access::change_status(&pool, &lockout, tenant, &email, change, event, now)
        .await
        .attempt("the account was not changed")?;
    let (email, status) = (email.as_str(), change.target().as_str());
    match (changed, change) {
        (ChangedStatus::LockLifted, _) => say(format_args!("{email} may sign in again")),
        (ChangedStatus::AlreadySo, _) => say(format_args!("{email} is {status} already")),
        (ChangedStatus::Changed { ended_sessions }, StatusChange::Lock | StatusChange::Disable) => {
            say(format_args!(
                "{email} is {status}; {ended_sessions} sessions ended"
            ));
        }
        (ChangedStatus::Changed { .. }, StatusChange::Unlock | StatusChange::Enable) => {
            say(format_args!("{email} is {status}"));
        }
    }
    Ok(())
}

async fn remove_mfa(config: &Config, user: &UserArguments) -> Result<(), CliError> {
    let Account { pool, tenant, email } = find(config, user).await?;
    let mailer = Mailer::new(config).attempt("the holder cannot be told")?;
    let now = SystemClock.now();
    let removed = mfa::remove_by_operator(&pool, &mailer, tenant, &email, by_operator(now), now)
        .await
        .attempt("the account was not changed")?;
    let email = email.as_str();
    if removed {
        say(format_args!(
            "{email} has no second factor any more; all of its sessions ended"
        ));
    } else {
        say(format_args!("{email} has no second factor"));
    }
    Ok(())
}

async fn change_role(config: &Config, user: &UserArguments, role: Role) -> Result<(), CliError> {
    let Account { pool, tenant, email } = find(config, user).await?;
    let now = SystemClock.now();
    let changed = access::change_role(&pool, tenant, &email, role, by_operator(now), now)
        .await
        .attempt("the account was not changed")?;
    let (email, role) = (email.as_str(), role.as_str());
    match changed {
        ChangedRole::AlreadySo => say(format_args!("{email} has the role {role} already")),
        ChangedRole::Was(before) => {
            say(format_args!(
                "{email} has the role {role}; it was {}",
                before.as_str()
            ));
        }
    }
    Ok(())
}

/// Where the account of the arguments is to be looked for.
struct Account {
    pool: Pool,
    tenant: TenantId,
    email: EmailAddress,
}

async fn find(config: &Config, user: &UserArguments) -> Result<Account, CliError> {
    let email = EmailAddress::parse(&user.email).attempt("the address is not one")?;
    let pool = connect(config)?;
    let mut connection = pool.acquire().await.attempt("the database cannot be reached")?;
    let slug = user.tenant.as_deref().unwrap_or(&config.default_tenant);
    let tenant = accounts::tenant(&mut connection, slug)
        .await
        .attempt("the tenant cannot be found")?;
    drop(connection);
    Ok(Account { pool, tenant, email })
}

/// Begins the audit events of a command.
fn by_operator(now: Timestamp) -> impl Fn(EventKind) -> Event {
    move |kind| Event::of_operator(now, &SystemEntropy, kind)
}

impl From<RoleArgument> for Role {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::Customer => Self::Customer,
            RoleArgument::Admin => Self::Admin,
        }
    }
}
