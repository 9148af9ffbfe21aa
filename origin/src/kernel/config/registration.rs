//! `[registration]`: what somebody is told who registers.

use super::reader::{Mistakes, Section};
use super::sections::Found;

/// `[registration]`
#[derive(Clone, Copy, Debug)]
pub struct RegistrationConfig {
    /// `hide_existing`: whether a registration is answered alike, whether there is an account with the address or not. Nobody is
    /// signed in by it then: a mail says what has become of it, so that `[mail]` is needed, and the first sign-in to an account waits
    /// until its address is confirmed. Default false.
    pub hide_existing: bool,
}

impl RegistrationConfig {
    pub(super) fn read((name, settings): Found, has_mail: bool, mistakes: &mut Mistakes) -> Self {
        let mut section = Section::new(name, settings, mistakes);
        let hide_existing = section.flag("hide_existing").unwrap_or(false);
        if hide_existing && !has_mail {
            section.mistake(
                "hide_existing",
                "needs [mail]: without it nobody would learn what has become of a registration",
            );
        }
        section.finish();
        Self { hide_existing }
    }
}
