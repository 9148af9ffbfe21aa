//! The pool of access tokens that the load generator presents.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

use super::load::{Presented, Tokens};
use crate::{process, workspace::Workspace};

/// What the origin signs with unless it is told otherwise.
pub(super) const KEY_BITS: u32 = 3072;

/// Tokens of an earlier run are good for seven days; a run must not outlive them.
const USABLE: Duration = Duration::from_hours(6 * 24);

/// Distinct tokens of one key, none of which any contestant has seen.
#[derive(Debug)]
pub(super) struct Pool {
    file: PathBuf,
    /// The key set that verifies them.
    pub(super) key_set: String,
}

impl Pool {
    /// A pool of at least `count`: that of an earlier run, or a new one from the program `mint`.
    pub(super) fn prepare(workspace: &Workspace, mint: &Path, count: usize) -> Result<Self> {
        let folder = workspace.root().join("target/bench/tokens");
        let file = folder.join("tokens.txt");
        if !has(&file, count) {
            fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
            let mut command = workspace.command(mint);
            command
                .args([KEY_BITS.to_string(), count.to_string()])
                .arg(&folder);
            let label = format!("minting {count} tokens with RSA-{KEY_BITS}");
            process::quietly(
                &label,
                &mut command,
                &workspace.root().join("target/bench/log/mint.log"),
            )?;
        }
        let key_set = fs::read_to_string(folder.join("jwks.json")).context("the pool has no key set")?;
        Ok(Self { file, key_set })
    }

    /// The same token each time.
    pub(super) fn one(&self) -> Tokens {
        Tokens {
            file: self.file.clone(),
            first: 0,
            count: 1,
            once: false,
            as_what: Presented::Bearer,
        }
    }

    /// The first `count` tokens, again and again.
    pub(super) fn in_turn(&self, count: usize) -> Tokens {
        Tokens { count, ..self.one() }
    }

    /// `count` tokens after the first `first`, each once.
    pub(super) fn each_once(&self, first: usize, count: usize) -> Tokens {
        Tokens {
            file: self.file.clone(),
            first,
            count,
            once: true,
            as_what: Presented::Bearer,
        }
    }

    /// The token at a place of the pool, for a request by hand.
    pub(super) fn token(&self, place: usize) -> Result<String> {
        let text = fs::read_to_string(&self.file).context("the pool of tokens cannot be read")?;
        let token = text.lines().nth(place).context("the pool has fewer tokens")?;
        Ok(token.to_owned())
    }
}

/// The token with another signature of the same length.
pub(super) fn tampered(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let other: String = signature.chars().rev().collect();
    format!("{signed}.{other}")
}

/// Whether an earlier run left enough tokens that are still good.
fn has(file: &Path, count: usize) -> bool {
    let age = || fs::metadata(file).ok()?.modified().ok()?.elapsed().ok();
    age().is_some_and(|age| age < USABLE)
        && fs::read_to_string(file).is_ok_and(|text| text.lines().count() >= count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_of_an_earlier_run_serves_if_it_is_large_enough() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.txt");
        assert!(!has(&file, 1));
        fs::write(&file, "a\nb\n").unwrap();
        assert!(has(&file, 2));
        assert!(!has(&file, 3));
    }
}
