//! Groups: what counts together, and the name under which it does so without saying who it is.

use std::net::IpAddr;

use aws_lc_rs::hmac;
use portcullis_shared::limited::client_key;

use crate::kernel::ids::{DeviceId, Id as _, TenantId};

use super::model::Kind;

/// The key of a row: HMAC-SHA256 of what the row is about.
pub(super) type GroupKey = [u8; 32];

/// Attempts that count together.
pub(super) struct Group {
    pub(super) kind: Kind,
    pub(super) key: GroupKey,
    /// What all groups of one address have in common; a client has nothing.
    pub(super) account: Option<GroupKey>,
}

/// The key of the account with this address, whether there is one or not.
pub(super) fn account_key(key: &hmac::Key, tenant: TenantId, email: &str) -> GroupKey {
    mac(key, Kind::Account, &[tenant.uuid().as_bytes(), email.as_bytes()])
}

impl Group {
    pub(super) fn of_account(account: GroupKey) -> Self {
        Self {
            kind: Kind::Account,
            key: account,
            account: Some(account),
        }
    }

    pub(super) fn of_device(key: &hmac::Key, account: GroupKey, device: DeviceId) -> Self {
        Self {
            kind: Kind::Device,
            key: mac(key, Kind::Device, &[&account, device.uuid().as_bytes()]),
            account: Some(account),
        }
    }

    pub(super) fn of_holder(key: &hmac::Key, account: GroupKey) -> Self {
        Self {
            kind: Kind::Holder,
            key: mac(key, Kind::Holder, &[&account]),
            account: Some(account),
        }
    }

    pub(super) fn of_factor(key: &hmac::Key, account: GroupKey) -> Self {
        Self {
            kind: Kind::Factor,
            key: mac(key, Kind::Factor, &[&account]),
            account: Some(account),
        }
    }

    pub(super) fn of_client(key: &hmac::Key, client: IpAddr) -> Self {
        Self {
            kind: Kind::Client,
            key: mac(key, Kind::Client, &[client_key(client).as_bytes()]),
            account: None,
        }
    }
}

/// The parts of each kind have fixed lengths, but for the last one: no two texts are the same.
fn mac(key: &hmac::Key, kind: Kind, parts: &[&[u8]]) -> GroupKey {
    let mut context = hmac::Context::with_key(key);
    context.update(kind.as_str().as_bytes());
    context.update(&[0]);
    for part in parts {
        context.update(part);
    }
    let mut bytes = GroupKey::default();
    bytes.copy_from_slice(context.sign().as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
    }

    fn id(number: u128) -> uuid::Uuid {
        uuid::Uuid::from_u128(number)
    }

    #[test]
    fn what_is_somebody_elses_has_another_key() {
        let key = key();
        let accounts = [
            (1, "ada@example.com"),
            (1, "eve@example.com"),
            (2, "ada@example.com"),
        ]
        .map(|(tenant, email)| account_key(&key, id(tenant).into(), email));
        let mut keys = BTreeSet::from(accounts);
        for account in accounts {
            keys.insert(Group::of_holder(&key, account).key);
            keys.insert(Group::of_factor(&key, account).key);
            keys.extend([1, 2].map(|device| Group::of_device(&key, account, id(device).into()).key));
        }
        assert_eq!(keys.len(), 15);
        let other = hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]);
        assert!(!keys.contains(&account_key(&other, id(1).into(), "ada@example.com")));
    }

    #[test]
    fn a_client_is_an_address_or_a_subscribers_network() {
        let client = |text: &str| Group::of_client(&key(), text.parse().unwrap()).key;
        assert_eq!(client("192.0.2.1"), client("::ffff:192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:0:0:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
    }
}
