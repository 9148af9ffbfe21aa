//! `portcullis roles …`.

use serde_json::json;

use crate::accounts::{self, EmailAddress};
use crate::audit::{Event, EventKind};
use crate::kernel::clock::{Clock, SystemClock};
use crate::kernel::config::Config;
use crate::kernel::db::{PgConnection, Pool};
use crate::kernel::ids::{GrantId, Id as _, TenantId, UserId};
use crate::kernel::random::SystemEntropy;
use crate::kernel::time::{Timestamp, rfc3339};
use crate::rbac::{self, Admitted, Expiry, Grant, Granted, Granter, NewGrant, Place, RbacError, VenueRole};

use super::arguments::{RolesCommand, VenueArguments};
use super::{Attempt, CliError, block_on, connect, say};

const UNREACHABLE: &str = "the database cannot be reached";

/// Does what was asked.
pub(super) fn run(config: Config, command: RolesCommand) -> Result<(), CliError> {
    block_on(async move {
        match command {
            RolesCommand::Grant {
                user,
                venue,
                role,
                expires,
            } => {
                let expiry = expires.map_or(Expiry::Unsaid, Expiry::At);
                grant(&Desk::open(&config, &venue).await?, &user.user, role, expiry).await
            }
            RolesCommand::List { venue } => list(&Desk::open(&config, &venue).await?).await,
            RolesCommand::Revoke { user, venue, role } => {
                revoke(&Desk::open(&config, &venue).await?, &user.user, role).await
            }
        }
    })
}

/// What every command needs: where, and how to say it.
struct Desk {
    pool: Pool,
    place: Place,
    json: bool,
    now: Timestamp,
}

impl Desk {
    async fn open(config: &Config, arguments: &VenueArguments) -> Result<Self, CliError> {
        let pool = connect(config)?;
        let mut connection = pool.acquire().await.attempt(UNREACHABLE)?;
        let slug = arguments.tenant.as_deref().unwrap_or(&config.default_tenant);
        let tenant = accounts::tenant(&mut connection, slug)
            .await
            .attempt("the tenant cannot be found")?;
        drop(connection);
        Ok(Self {
            pool,
            place: Place {
                tenant,
                venue: arguments.venue,
            },
            json: arguments.json,
            now: SystemClock.now(),
        })
    }

    /// The account of this address or identifier.
    async fn holder(&self, user: &str) -> Result<UserId, CliError> {
        if let Ok(id) = user.parse() {
            return Ok(id);
        }
        let email = EmailAddress::parse(user).attempt("the account is named by neither address nor id")?;
        find(&self.pool, self.place.tenant, &email).await
    }

    /// The operator may change everything.
    async fn admit(&self, connection: &mut PgConnection) -> Result<Admitted, RbacError> {
        rbac::admit(connection, self.place, Granter::Operator, None, self.now).await
    }

    /// Begins the audit events of a command.
    fn event(&self, kind: EventKind) -> Event {
        Event::of_operator(self.now, &SystemEntropy, kind)
    }
}

async fn find(pool: &Pool, tenant: TenantId, email: &EmailAddress) -> Result<UserId, CliError> {
    let mut connection = pool.acquire().await.attempt(UNREACHABLE)?;
    let found = accounts::find_credentials(&mut connection, tenant, email)
        .await
        .attempt("the account cannot be found")?;
    found
        .map(|credentials| credentials.user.id)
        .ok_or("there is no such account")
        .attempt("the account cannot be found")
}

async fn grant(desk: &Desk, user: &str, role: VenueRole, expiry: Expiry) -> Result<(), CliError> {
    let new = NewGrant {
        user: desk.holder(user).await?,
        role,
        expiry,
    };
    let id = GrantId::generate(desk.now, &SystemEntropy);
    let mut transaction = desk.pool.begin().await.attempt(UNREACHABLE)?;
    let outcome = async {
        let admitted = desk.admit(&mut transaction).await?;
        let event = |kind| desk.event(kind);
        rbac::grant(&mut transaction, admitted, id, new, event, desk.now).await
    }
    .await
    .attempt("the role was not granted")?;
    transaction.commit().await.attempt("the role was not granted")?;
    let (said, grant) = match &outcome {
        Granted::New(grant) => ("granted", grant),
        Granted::Changed(grant) => ("changed", grant),
        Granted::AlreadySo(grant) => ("already so", grant),
    };
    if desk.json {
        say(json!({ "outcome": said, "grant": grant }));
    } else {
        say(format_args!(
            "{said}: {user} is {} at {}, {}",
            grant.role,
            grant.venue_id,
            until(grant)
        ));
    }
    Ok(())
}

async fn list(desk: &Desk) -> Result<(), CliError> {
    let mut connection = desk.pool.acquire().await.attempt(UNREACHABLE)?;
    let grants = rbac::list(&mut connection, desk.place, Granter::Operator, desk.now)
        .await
        .attempt("the roles cannot be read")?;
    if desk.json {
        say(json!({ "roles": grants }));
        return Ok(());
    }
    for grant in &grants {
        let by = grant
            .granted_by
            .map_or_else(|| "the operator".to_owned(), |user| user.to_string());
        say(format_args!(
            "{}  {:<13}  {}, since {}, by {by}",
            grant.user_id,
            grant.role,
            until(grant),
            rfc3339(grant.granted_at),
        ));
    }
    Ok(())
}

async fn revoke(desk: &Desk, user: &str, role: Option<VenueRole>) -> Result<(), CliError> {
    let holder = desk.holder(user).await?;
    let mut transaction = desk.pool.begin().await.attempt(UNREACHABLE)?;
    let roles = async {
        let admitted = desk.admit(&mut transaction).await?;
        let event = |kind| desk.event(kind);
        rbac::revoke(&mut transaction, admitted, holder, role, event, desk.now).await
    }
    .await
    .attempt("the role was not taken away")?;
    transaction
        .commit()
        .await
        .attempt("the role was not taken away")?;
    if desk.json {
        say(json!({ "revoked": roles }));
    } else {
        say(format_args!(
            "{user} is no longer {} at {}",
            roles.join(", "),
            desk.place.venue
        ));
    }
    Ok(())
}

fn until(grant: &Grant) -> String {
    grant.expires_at.map_or_else(
        || "for good".to_owned(),
        |moment| format!("until {}", rfc3339(moment)),
    )
}
