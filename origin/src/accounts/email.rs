//! Email addresses: parsed once, in lower case from then on.

use std::fmt;

/// An address of the form `local@domain`, in lower case, so that two spellings of one mailbox are one account.
///
/// Only ASCII is taken. Case folding outside ASCII depends on the language, and look-alike letters would let
/// a stranger register, or reset, what reads as somebody else's address. A domain in another script has its
/// `xn--` form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

/// The text is not an address that mail could be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an email address")]
pub struct InvalidEmailAddress;

/// RFC 5321 §4.5.3.1.3, without the angle brackets of the path.
const MAX_LENGTH: usize = 254;
/// RFC 5321 §4.5.3.1.1.
const MAX_LOCAL_LENGTH: usize = 64;
/// RFC 1035 §2.3.4.
const MAX_LABEL_LENGTH: usize = 63;

impl EmailAddress {
    /// Reads an address: a dot-atom (RFC 5322 §3.2.3), `@`, and a host name of two labels or more. Spaces
    /// around it are dropped. Quoted local parts and address literals are refused: no mailbox of a person
    /// needs them, and they are a known way to confuse the programs behind.
    pub fn parse(text: &str) -> Result<Self, InvalidEmailAddress> {
        let text = text.trim();
        let (local, domain) = text.split_once('@').ok_or(InvalidEmailAddress)?;
        if text.len() <= MAX_LENGTH && is_dot_atom(local) && is_host_name(domain) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidEmailAddress)
        }
    }

    /// The address in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }
}

/// Addresses are personal data and do not belong in logs.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

fn is_dot_atom(local: &str) -> bool {
    local.len() <= MAX_LOCAL_LENGTH
        && local.split('.').all(|atom| {
            !atom.is_empty()
                && atom
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        })
}

fn is_host_name(domain: &str) -> bool {
    let mut labels = 0;
    for label in domain.split('.') {
        labels += 1;
        let letters = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if label.is_empty()
            || label.len() > MAX_LABEL_LENGTH
            || label.starts_with('-')
            || label.ends_with('-')
            || !letters
        {
            return false;
        }
    }
    // The last label of a host name is never all digits (RFC 3696 §2): that would be an IPv4 address.
    let top = domain.rsplit('.').next().unwrap_or_default();
    labels >= 2 && !top.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_addresses_are_taken() {
        for text in [
            "ada@example.com",
            "ada.lovelace+tickets@mail.example.co.uk",
            "o'hara@example.ie",
            "a@b.cd",
            "x@xn--bcher-kva.example",
            "customer/department=shipping@example.com",
        ] {
            assert_eq!(EmailAddress::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn case_and_surrounding_spaces_do_not_tell_addresses_apart() {
        assert_eq!(
            EmailAddress::parse(" Ada.Lovelace@Example.COM\n").unwrap(),
            EmailAddress::parse("ada.lovelace@example.com").unwrap()
        );
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long_label = format!("a@{}.com", "b".repeat(64));
        let long = format!("a@{}com", "abcdefghi.".repeat(26));
        for text in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "ada@@example.com",
            "ada@exa@mple.com",
            ".ada@example.com",
            "ada.@example.com",
            "a..da@example.com",
            "a da@example.com",
            "ada@exam ple.com",
            "ada@-example.com",
            "ada@example-.com",
            "ada@example..com",
            "ada@.example.com",
            "ada@example.com.",
            "ada@exam_ple.com",
            "\"ada\"@example.com",
            "ada@[192.0.2.1]",
            "ada@192.0.2.1",
            "ada\0@example.com",
            "ada\r\nbcc@example.com",
            "ädä@example.com",
            "ada@exämple.com",
            "ada <ada@example.com>",
            &long_local,
            &long_label,
            &long,
        ] {
            assert_eq!(EmailAddress::parse(text), Err(InvalidEmailAddress), "{text:?}");
        }
    }

    #[test]
    fn an_address_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", EmailAddress::parse("ada@example.com").unwrap()).contains("ada"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_is_idempotent(text in ".{0,80}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert_eq!(EmailAddress::parse(address.as_str()), Ok(address.clone()));
                prop_assert!(address.as_str().is_ascii());
                prop_assert!(!address.local_part().is_empty());
            }
        }
    }
}
