//! Whether a chain holds.

use std::fmt;

use uuid::Uuid;

use super::entry::Entry;

/// The hash before the first position.
const ORIGIN_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One chain, as its head says it is.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The tenant, or 0 for the installation.
    pub(super) id: Uuid,
    /// The tenant; `None`: the installation.
    pub tenant: Option<Uuid>,
    /// The newest position; 0: there is none.
    pub position: i64,
    /// Its hash, in hex.
    pub hash: String,
    /// The newest position that retention has removed; 0: there is none.
    pub removed_position: i64,
    /// Its hash, in hex.
    pub(super) removed_hash: String,
}

/// What is wrong with a position of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The link of the position is not there, or not in its place.
    Gap,
    /// It does not continue the link before.
    Unlinked,
    /// Its hash is not that of what it links.
    Hash,
    /// The event is not there, and retention has not removed it.
    EventMissing,
    /// The event says something else than when it was linked.
    Content,
    /// The address or the program that the event was caused by is another one.
    Origin,
    /// The chain ends before its head.
    TailMissing,
    /// The chain goes on behind its head.
    BeyondHead,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gap => "the link is missing, or not in its place",
            Self::Unlinked => "the link does not continue the one before it",
            Self::Hash => "the hash is not that of what is linked",
            Self::EventMissing => "the event is missing, and retention did not remove it",
            Self::Content => "the content of the event was changed",
            Self::Origin => "the address or user agent of the event was changed",
            Self::TailMissing => "the chain ends before its head",
            Self::BeyondHead => "the chain goes on behind its head",
        })
    }
}

/// A walk along a chain, from one position to the next.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The position passed last, and its hash; `None`: the walk begins anywhere.
    last: Option<(i64, String)>,
    /// The first position that was passed.
    pub first: Option<i64>,
    /// How many positions were passed.
    pub passed: u64,
    /// How many of them had an origin that was erased.
    pub erased: u64,
    /// How many of them had an event that retention has removed.
    pub removed: u64,
}

impl Walk {
    /// From where retention has left the chain, or from its beginning.
    pub(super) fn along(chain: &Chain) -> Self {
        Self {
            last: Some((chain.removed_position, chain.removed_hash.clone())),
            ..Self::anywhere()
        }
    }

    /// From the first entry that comes, whatever its position.
    #[must_use]
    pub fn anywhere() -> Self {
        Self {
            last: None,
            first: None,
            passed: 0,
            erased: 0,
            removed: 0,
        }
    }

    /// The position that must come next; `None`: any.
    pub(super) fn due(&self) -> Option<i64> {
        self.last.as_ref().map(|(position, _)| position + 1)
    }

    /// The position that was passed last and its hash.
    #[must_use]
    pub fn head(&self) -> Option<(i64, &str)> {
        self.last
            .as_ref()
            .map(|(position, hash)| (*position, hash.as_str()))
    }

    /// Passes an entry, or says why not. `may_be_removed`: whether retention may have taken its event.
    pub fn pass(&mut self, entry: &Entry, may_be_removed: bool) -> Result<(), Fault> {
        if self.due().is_some_and(|due| due != entry.position) || entry.position < 1 {
            return Err(Fault::Gap);
        }
        let before = self.last.as_ref().map(|(_, hash)| hash.as_str());
        let before = before.or((entry.position == 1).then_some(ORIGIN_HASH));
        if before.is_some_and(|before| before != entry.prev_hash) {
            return Err(Fault::Unlinked);
        }
        if entry.chained().as_ref() != Some(&entry.hash) {
            return Err(Fault::Hash);
        }
        if entry.kind.is_none() {
            if !may_be_removed {
                return Err(Fault::EventMissing);
            }
            self.removed += 1;
        } else if entry.content_digest() != entry.digest {
            return Err(Fault::Content);
        } else {
            self.pass_origin(entry)?;
        }
        self.first = self.first.or(Some(entry.position));
        self.last = Some((entry.position, entry.hash.clone()));
        self.passed += 1;
        Ok(())
    }

    fn pass_origin(&mut self, entry: &Entry) -> Result<(), Fault> {
        let shown = entry.ip.is_some() || entry.user_agent.is_some();
        match (&entry.origin, entry.origin_digest()) {
            (Some(origin), Some(digest)) if *origin == digest => Ok(()),
            (None, None) if !shown => Ok(()),
            (Some(_), None) if !shown => {
                self.erased += 1;
                Ok(())
            }
            (Some(_) | None, Some(_) | None) => Err(Fault::Origin),
        }
    }
}
