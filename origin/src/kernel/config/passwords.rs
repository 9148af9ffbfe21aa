//! `[passwords]`: what a hash costs, and what a new password must be.

use std::time::Duration;

use super::reader::{Mistakes, Section};
use super::sections::Found;
use crate::kernel::passwords::HasherConfig;

/// `[passwords]`
#[derive(Clone, Debug)]
pub struct PasswordsConfig {
    /// The cost of a hash, and how many there may be.
    pub hasher: HasherConfig,
    /// `composition`: whether a new password must have letters of both cases, a digit and a special character, and none of
    /// them three times in a row. Default false.
    pub composition: bool,
    /// Who is asked whether a new password has been stolen before. Default nobody.
    pub breaches: Option<BreachesConfig>,
}

/// A service that knows stolen passwords.
#[derive(Clone, Debug)]
pub struct BreachesConfig {
    /// `breaches_url`: what the first five digits of a digest are appended to, such as
    /// `https://api.pwnedpasswords.com/range/`.
    pub url: String,
    /// `breaches_timeout_ms`: how long it may take; a password is taken without its answer after that. 100 to 10,000 ms, default
    /// 1000 ms.
    pub timeout: Duration,
}

impl PasswordsConfig {
    pub(super) fn read((name, settings): Found, mistakes: &mut Mistakes) -> Self {
        let cores =
            std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        let mut section = Section::new(name, settings, mistakes);
        let hasher = HasherConfig {
            memory_kib: section.number("memory_kib", 65_536, 8_192..=1_048_576),
            iterations: section.number("iterations", 3, 1..=64),
            parallelism: section.number("parallelism", 4, 1..=64),
            permits: section.number("permits", cores.clamp(1, 256), 1..=256),
            queue: section.number("queue", 64, 0..=10_000),
        };
        let config = Self {
            hasher,
            composition: section.flag("composition").unwrap_or(false),
            breaches: BreachesConfig::read(&mut section),
        };
        section.finish();
        config
    }
}

impl BreachesConfig {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let timeout = section.number("breaches_timeout_ms", 1000, 100..=10_000);
        let url = section.text("breaches_url")?;
        let is_http = url.starts_with("https://") || url.starts_with("http://");
        if !is_http || !url.ends_with('/') || url.contains(['?', '#', '@']) {
            section.mistake(
                "breaches_url",
                "must be an http(s) URL that ends with a slash, such as https://api.pwnedpasswords.com/range/",
            );
        }
        Some(Self {
            url,
            timeout: Duration::from_millis(timeout.into()),
        })
    }
}
