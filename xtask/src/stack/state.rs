//! The state folder of a stack: its lock, its secrets, and what earlier runs left behind.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};

use crate::{process::pidfile, ui, workspace::Workspace};

const LOCK: &str = "lock";

/// An open state folder. The lock goes with it.
#[derive(Debug)]
pub(super) struct State {
    dir: PathBuf,
    secrets: Secrets,
    _lock: File,
}

impl State {
    /// Opens the folder, makes it where there is none, and stops what an earlier run could not.
    pub(super) fn open(workspace: &Workspace, dir: &Path) -> Result<Self> {
        let dir = workspace.root().join(dir);
        fs::create_dir_all(dir.join("run"))
            .and_then(|()| fs::create_dir_all(dir.join("log")))
            .with_context(|| format!("{} cannot be made", dir.display()))?;
        let lock = lock(&dir)?;
        for name in pidfile::sweep(&dir.join("run")) {
            ui::line(&format!("  stopped {name}, left over from an earlier run"));
        }
        for entry in fs::read_dir(dir.join("log")).into_iter().flatten().flatten() {
            let _ = fs::remove_file(entry.path());
        }
        let secrets = Secrets::load_or_make(&dir.join("secrets"))?;
        Ok(Self {
            dir,
            secrets,
            _lock: lock,
        })
    }

    /// The folder, absolute.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the parts of the stack share.
    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Whether this is the file that holds the lock.
    pub(super) fn is_lock(&self, path: &Path) -> bool {
        path == self.dir.join(LOCK)
    }
}

/// Takes the lock of a state folder; the system gives it back when this program ends, however it does.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .with_context(|| format!("{} cannot be opened", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let _ = file.read_to_string(&mut owner);
            bail!(
                "a stack runs in {} already (process {}); stop it, or choose another folder with --state-dir",
                dir.display(),
                owner.trim()
            );
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
        }
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(file)
}

/// Secrets of one development stack, made once and kept with its data.
#[derive(Clone)]
pub struct Secrets {
    /// What the origin encrypts with: 32 bytes in base64.
    pub master_key: String,
    /// The name of the key below.
    pub edge_key_id: String,
    /// What the edge signs forwarded requests with: 32 bytes in base64.
    pub edge_signing_key: String,
    /// The password of Postgres' one user.
    pub postgres_password: String,
    /// The password of Redis.
    pub redis_password: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("edge_key_id", &self.edge_key_id)
            .finish_non_exhaustive()
    }
}

impl Secrets {
    fn load_or_make(file: &Path) -> Result<Self> {
        if !file.exists() {
            let text = format!(
                "MASTER_KEY={}\nEDGE_KEY_ID=dev-{}\nEDGE_SIGNING_KEY={}\nPOSTGRES_PASSWORD={}\nREDIS_PASSWORD={}\n",
                Base64::encode_string(&random::<32>()?),
                Base64UrlUnpadded::encode_string(&random::<6>()?),
                Base64::encode_string(&random::<32>()?),
                Base64UrlUnpadded::encode_string(&random::<24>()?),
                Base64UrlUnpadded::encode_string(&random::<24>()?),
            );
            write_private(file, &text)?;
        }
        let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let value = |name: &str| {
            text.lines()
                .filter_map(|line| line.split_once('='))
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.to_owned())
                .with_context(|| {
                    format!(
                        "{} has no {name}; remove the state folder to start anew",
                        file.display()
                    )
                })
        };
        Ok(Self {
            master_key: value("MASTER_KEY")?,
            edge_key_id: value("EDGE_KEY_ID")?,
            edge_signing_key: value("EDGE_SIGNING_KEY")?,
            postgres_password: value("POSTGRES_PASSWORD")?,
            redis_password: value("REDIS_PASSWORD")?,
        })
    }
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("the system has no random source")?;
    Ok(bytes)
}

/// Writes a file that only its owner may read, in one step: a reader sees the old text or the new.
pub(super) fn write_private(file: &Path, text: &str) -> Result<()> {
    let draft = file.with_extension("draft");
    let write = || -> std::io::Result<()> {
        let mut out = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        out.set_permissions(fs::Permissions::from_mode(0o600))?;
        out.write_all(text.as_bytes())?;
        fs::rename(&draft, file)
    };
    write().with_context(|| format!("{} cannot be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets");
        let first = Secrets::load_or_make(&file).unwrap();
        let second = Secrets::load_or_make(&file).unwrap();
        assert_eq!(first.master_key, second.master_key);
        assert_ne!(first.master_key, first.edge_signing_key);
        assert_eq!(Base64::decode_vec(&first.master_key).unwrap().len(), 32);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::load_or_make(&folder.path().join("secrets")).unwrap();
        let shown = format!("{secrets:?}");
        assert!(
            !shown.contains(&secrets.master_key) && !shown.contains(&secrets.edge_signing_key),
            "{shown}"
        );
    }

    #[test]
    fn a_second_stack_in_the_same_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::find().unwrap();
        let first = State::open(&workspace, folder.path()).unwrap();
        let refusal = State::open(&workspace, folder.path()).unwrap_err().to_string();
        assert!(
            refusal.contains(&std::process::id().to_string()) && refusal.contains("--state-dir"),
            "{refusal}"
        );
        drop(first);
        State::open(&workspace, folder.path()).unwrap();
    }
}
