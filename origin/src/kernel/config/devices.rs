//! `[devices]`: what an unknown device costs who signs in on it.

use super::reader::{Mistakes, Section};
use super::sections::Found;

/// `[devices]`
#[derive(Clone, Copy, Debug)]
pub struct DevicesConfig {
    /// `email_code`: whether a sign-in on a device that the account does not know waits for a code that is mailed to its confirmed address, where
    /// the account has no second factor. Needs `[mail]`. Default false: the account is told of the sign-in afterwards.
    pub email_code: bool,
}

impl DevicesConfig {
    pub(super) fn read((name, settings): Found, has_mail: bool, mistakes: &mut Mistakes) -> Self {
        let mut section = Section::new(name, settings, mistakes);
        let email_code = section.flag("email_code").unwrap_or(false);
        if email_code && !has_mail {
            section.mistake("email_code", "needs [mail]: without it nobody would get a code");
        }
        section.finish();
        Self { email_code }
    }
}
