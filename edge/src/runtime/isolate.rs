//! What one isolate keeps between requests.
//!
//! Invariant: no borrow outlives a call into this module, so none can meet another; nothing here is a promise.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use js_sys::Reflect;
use portcullis_shared::jwk::RsaVerifyingKey;
use portcullis_shared::signature::WebCryptoKey;
use wasm_bindgen::JsValue;

use super::limits::{self, Keepers};
use super::random::RandomPool;
use super::{SharedIdentity, host, report};
use crate::config::Config;
use crate::decide::TokenVerdict;
use crate::deny_cache::DenyCache;
use crate::key_cache::KeyCache;
use crate::policy::Keeper;
use crate::renewals::Renewals;
use crate::request_id;
use crate::revocations::Revocations;
use crate::token_cache::TokenCache;
use crate::venue_roles::VenueRoles;

/// The isolate's memory.
#[derive(Default)]
pub(super) struct Isolate {
    /// `None` inside when it has mistakes, which have been logged.
    config: OnceCell<Option<Rc<Config>>>,
    keepers: OnceCell<Keepers>,
    pub(super) denials: RefCell<DenyCache>,
    pub(super) renewals: RefCell<Renewals>,
    /// When it was last told that a keeper of a limit does not answer, in seconds since the epoch.
    fault_told: Cell<Option<i64>>,
    pub(super) keys: RefCell<KeyCache>,
    pub(super) revocations: RefCell<Revocations>,
    pub(super) venue_roles: RefCell<VenueRoles>,
    imported: RefCell<Vec<(RsaVerifyingKey, Rc<WebCryptoKey>)>>,
    tokens: RefCell<TokenCache<SharedIdentity>>,
    random: RefCell<RandomPool>,
}

thread_local! {
    static CURRENT: Rc<Isolate> = Rc::default();
}

impl Isolate {
    /// The one there is.
    pub(super) fn current() -> Rc<Self> {
        CURRENT.with(Rc::clone)
    }

    /// The configuration, read at the first request; `None` when it has mistakes.
    pub(super) fn config(&self, environment: &JsValue) -> Option<Rc<Config>> {
        let read = || {
            let config = read_config(environment)?;
            let _first = self.keepers.set(Keepers::of(&config.policy, environment));
            Some(config)
        };
        self.config.get_or_init(read).clone()
    }

    /// What keeps the limits, if a request has read the configuration.
    pub(super) fn keepers(&self) -> Option<&Keepers> {
        self.keepers.get()
    }

    /// Whether a fault of a keeper may be told at the moment `now`, once in `pause` seconds.
    pub(super) fn may_tell_fault(&self, now: i64, pause: i64) -> bool {
        let may = self.fault_told.get().is_none_or(|told| now - told >= pause);
        if may {
            self.fault_told.set(Some(now));
        }
        may
    }

    /// The configuration, if a request has read it.
    pub(super) fn known_config(&self) -> Option<Rc<Config>> {
        self.config.get().cloned().flatten()
    }

    /// What is known about a token without asking anybody.
    pub(super) fn known(&self, token: &str, now: i64) -> TokenVerdict<SharedIdentity> {
        match self.tokens.borrow_mut().get(token, now) {
            Some(identity) => TokenVerdict::Verified(identity.clone()),
            None => TokenVerdict::Unknown,
        }
    }

    /// Keeps what a token was found to prove.
    pub(super) fn remember(&self, token: &str, identity: &SharedIdentity) {
        // The claims lie in memory twice: parsed, and as headers.
        let bytes = token.len().saturating_mul(2);
        self.tokens
            .borrow_mut()
            .insert(token, identity.clone(), bytes, identity.0.claims.exp);
    }

    /// Uses no key set older than this version from now on, and believes nothing that an older one has verified.
    pub(super) fn require_key_set(&self, version: u64) {
        let mut keys = self.keys.borrow_mut();
        if keys.minimum_version() != version {
            keys.require_version(version);
            *self.tokens.borrow_mut() = TokenCache::default();
        }
    }

    /// The platform's handle for a key, if it was imported before.
    pub(super) fn imported(&self, key: &RsaVerifyingKey) -> Option<Rc<WebCryptoKey>> {
        self.imported
            .borrow()
            .iter()
            .find(|(own, _)| own == key)
            .map(|(_, handle)| Rc::clone(handle))
    }

    /// Keeps the platform's handle for a key, and drops those of keys that are no longer published.
    pub(super) fn keep_imported(&self, key: &RsaVerifyingKey, handle: &Rc<WebCryptoKey>) {
        let keys = self.keys.borrow();
        let mut imported = self.imported.borrow_mut();
        imported.retain(|(own, _)| own != key && keys.contains(own));
        imported.push((key.clone(), Rc::clone(handle)));
    }

    /// A new request id, which also serves where a nonce is wanted.
    pub(super) fn new_id(&self) -> String {
        // Without randomness an id would not be unique; it stays well-formed.
        request_id::from_random(self.random.borrow_mut().take().unwrap_or_default())
    }
}

fn read_config(environment: &JsValue) -> Option<Rc<Config>> {
    let lookup = |name: &str| Reflect::get(environment, &JsValue::from_str(name)).ok();
    let policy = lookup("POLICY")
        .filter(JsValue::is_object)
        .and_then(|policy| js_sys::JSON::stringify(&policy).ok())
        .map(String::from);
    let read = Config::read(policy.as_deref(), |name| lookup(name)?.as_string()).and_then(|config| {
        let is_bound = |keeper: &Keeper| limits::is_bound(environment, keeper);
        config.policy.check_keepers(is_bound).map(|()| config)
    });
    match read {
        Ok(config) => {
            report::begin(environment, &config);
            Some(Rc::new(config))
        }
        Err(mistakes) => {
            host::log_fault(&format!("The configuration has mistakes: {mistakes}"));
            None
        }
    }
}
