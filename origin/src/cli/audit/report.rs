//! What `audit verify` has found, in words or as a document.

use serde::Serialize;
use uuid::Uuid;

use super::super::{CliError, say};
use crate::audit::{Break, Walk};

/// All chains that were looked at.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) chains: Vec<Checked>,
    /// An event that is in no chain.
    pub(super) unchained: Option<Uuid>,
}

/// One chain.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Checked {
    tenant_id: Option<Uuid>,
    /// How many positions hold, of which how many without their origin or their event.
    events: u64,
    erased: u64,
    removed: u64,
    first: Option<i64>,
    head: Option<Head>,
    broken: Option<Broken>,
}

/// The last position that holds.
#[derive(Debug, Serialize)]
struct Head {
    position: i64,
    hash: String,
}

/// Where it does not.
#[derive(Debug, Serialize)]
struct Broken {
    position: i64,
    event: Option<Uuid>,
    reason: String,
}

impl Checked {
    pub(super) fn new(tenant_id: Option<Uuid>, walk: &Walk, broken: Option<Break>) -> Self {
        Self {
            tenant_id,
            events: walk.passed,
            erased: walk.erased,
            removed: walk.removed,
            first: walk.first,
            head: walk.head().map(|(position, hash)| Head {
                position,
                hash: hash.to_owned(),
            }),
            broken: broken.map(|broken| Broken {
                position: broken.position,
                event: broken.event,
                reason: broken.fault.to_string(),
            }),
        }
    }

    fn tell(&self) {
        let (name, events) = (name_of(self.tenant_id), self.events);
        if let Some(Broken {
            position,
            event,
            reason,
        }) = &self.broken
        {
            let event = event.map_or_else(String::new, |event| format!(" (event {event})"));
            say(format_args!(
                "{name}: BROKEN at position {position}{event}: {reason}"
            ));
        } else if let (Some(first), Some(Head { position, hash })) = (self.first, &self.head) {
            say(format_args!(
                "{name}: {events} events hold, {first} to {position}; head {hash}"
            ));
        } else {
            say(format_args!("{name}: no events"));
        }
    }
}

/// What a chain is called.
pub(super) fn name_of(tenant: Option<Uuid>) -> String {
    tenant.map_or_else(|| "installation".to_owned(), |tenant| format!("tenant {tenant}"))
}

impl Report {
    /// Prints it. Refused if anything does not hold.
    pub(super) fn tell(&self, json: bool) -> Result<(), CliError> {
        if json {
            say(serde_json::json!(self));
        } else {
            self.chains.iter().for_each(Checked::tell);
            if let Some(event) = self.unchained {
                say(format_args!("BROKEN: event {event} is in no chain"));
            }
        }
        if self.unchained.is_some() || self.chains.iter().any(|chain| chain.broken.is_some()) {
            return Err(CliError::Refused);
        }
        Ok(())
    }
}
