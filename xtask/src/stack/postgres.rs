//! A Postgres of the stack's own: one cluster in the state folder, one user with a password, loopback only.
//!
//! Postgres refuses to run as root. Where this program is root, the server runs as the system's `postgres` (or
//! `nobody`); where that user cannot reach the state folder, the data lies under `/var/tmp` and the state folder holds a
//! link to it.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::Signal,
    unistd::{Uid, User as SystemUser},
};
use sha2::{Digest, Sha256};

use super::state::{State, write_private};
use crate::{
    process::{Probe, ServiceSpec, User, quietly},
    setup::postgres_bin_dir,
    workspace::Workspace,
};

const USER: &str = "portcullis";
const DATABASE: &str = "portcullis";

fn bin(name: &str) -> Result<PathBuf> {
    let folder = postgres_bin_dir().context("PostgreSQL's programs are not installed")?;
    Ok(folder.join(name))
}

/// Where the cluster is seen from the state folder: the folder itself, or a link to it.
fn data_dir(state: &State) -> PathBuf {
    state.dir().join("postgres")
}

/// Makes the cluster where there is none.
pub(super) fn prepare(workspace: &Workspace, state: &State, fast: bool) -> Result<()> {
    let data = data_dir(state);
    if data.join("PG_VERSION").is_file() {
        return Ok(());
    }
    let user = server_user()?;
    remove(&data)?;
    let place = match user {
        Some(user) if !can_reach(user, state.dir()) => {
            let place = outside(state.dir())?;
            symlink(&place, &data).with_context(|| format!("{} cannot be made", data.display()))?;
            place
        }
        _ => data.clone(),
    };
    make_private(&place, user)?;

    let password = place.with_extension("password");
    write_private(&password, &format!("{}\n", state.secrets().postgres_password))?;
    if let Some(user) = user {
        chown(&password, Some(user.uid), Some(user.gid))
            .context("a file cannot be given to the user of Postgres")?;
    }
    let mut command = workspace.command(bin("initdb")?);
    command
        .args([
            "--username",
            USER,
            "--auth",
            "scram-sha-256",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
        ])
        .arg("--pwfile")
        .arg(&password)
        .arg("--pgdata")
        .arg(&place);
    if fast {
        command.arg("--no-sync");
    }
    // The user of the server may not enter the folder this program was started in.
    command.current_dir("/");
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    let made = quietly(
        "making a Postgres cluster",
        &mut command,
        &state.dir().join("log/initdb.log"),
    );
    let _ = fs::remove_file(&password);
    made
}

/// How to run the server on `port`.
pub(super) fn spec(state: &State, port: u16, fast: bool) -> Result<ServiceSpec> {
    let data = fs::canonicalize(data_dir(state)).context("the Postgres cluster is gone")?;
    let mut args = vec!["-D".to_owned(), data.display().to_string()];
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        // No socket: its folder would have to be found by everyone, and one way in is enough.
        "unix_socket_directories=".to_owned(),
        "max_connections=300".to_owned(),
        "shared_buffers=64MB".to_owned(),
    ];
    if fast {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned));
    }
    for setting in settings {
        args.extend(["-c".to_owned(), setting]);
    }
    let words = [
        "-q",
        "-h",
        "127.0.0.1",
        "-p",
        &port.to_string(),
        "-d",
        "postgres",
        "-U",
        USER,
    ];
    let mut probe = vec![bin("pg_isready")?.display().to_string()];
    probe.extend(words.map(str::to_owned));
    Ok(ServiceSpec {
        name: "postgres".to_owned(),
        program: bin("postgres")?,
        args,
        env: Vec::new(),
        user: server_user()?,
        // "Fast": ends the sessions and shuts down; SIGTERM would wait for the sessions to end.
        stop: Signal::SIGINT,
        grace: Duration::from_secs(10),
        probe: Probe::Program { words: probe },
        deadline: Duration::from_secs(30),
        state_dir: state.dir().to_path_buf(),
    })
}

/// Makes the stack's database where there is none, and returns its URL.
pub(super) fn ensure_database(workspace: &Workspace, state: &State, port: u16) -> Result<String> {
    let server = format!(
        "postgres://{USER}:{}@127.0.0.1:{port}",
        state.secrets().postgres_password
    );
    let marker = data_dir(state).join("portcullis.database");
    if !marker.exists() {
        match create_database(workspace, &format!("{server}/postgres"), DATABASE) {
            Err(error) if !error.to_string().contains("already exists") => return Err(error),
            _ => fs::write(&marker, "").context("the Postgres cluster cannot be written to")?,
        }
    }
    Ok(format!("{server}/{DATABASE}"))
}

/// Makes a database called `name` on the server that `url` points at, and returns the URL of the new one.
pub fn create_database(workspace: &Workspace, url: &str, name: &str) -> Result<String> {
    let Some((server, _)) = url
        .rsplit_once('/')
        .filter(|(server, _)| server.contains("://") && !server.ends_with('/'))
    else {
        bail!("a database URL ends in /NAME");
    };
    let mut command = client(workspace, "createdb", "--maintenance-db", url)?;
    crate::process::text(command.arg(name)).with_context(|| format!("the database {name} cannot be made"))?;
    Ok(format!("{server}/{name}"))
}

/// A call of one of PostgreSQL's client programs, with the option that takes the database's URL.
///
/// The URL's password goes into the environment: an argument would show it to every user of the machine.
pub fn client(workspace: &Workspace, program: &str, option: &str, url: &str) -> Result<Command> {
    let password = password_of(url);
    let mut command = workspace.command(bin(program)?);
    command.arg(option).arg(without_password(url, password));
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    Ok(command)
}

fn password_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (login, _) = rest.rsplit_once('@')?;
    Some(login.split_once(':')?.1)
}

fn without_password(url: &str, password: Option<&str>) -> String {
    password.map_or_else(
        || url.to_owned(),
        |password| url.replacen(&format!(":{password}@"), "@", 1),
    )
}

/// Removes the cluster, wherever it lies.
pub(super) fn remove(data: &Path) -> Result<()> {
    let gone = |result: io::Result<()>| match result {
        // A file of the state folder has no cluster inside it.
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    };
    let removed = match fs::read_link(data) {
        Ok(place) => {
            let removed = gone(fs::remove_dir_all(&place)).and_then(|()| gone(fs::remove_file(data)));
            // The folder that `outside` made for it, if that is where it was.
            let _ = place.parent().map(fs::remove_dir);
            removed
        }
        Err(_) => gone(fs::remove_dir_all(data)),
    };
    removed.with_context(|| format!("{} cannot be removed", data.display()))
}

/// The user that the server runs as: `None`, this program's own, unless that is root.
fn server_user() -> Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = SystemUser::from_name(name).context("the system's users cannot be read")? {
            return Ok(Some(User {
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
            }));
        }
    }
    bail!("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run it")
}

/// Whether `user` may pass through every folder down to `folder`.
fn can_reach(user: User, folder: &Path) -> bool {
    folder.ancestors().all(|folder| {
        folder.metadata().is_ok_and(|meta| {
            let needed = match (meta.uid() == user.uid, meta.gid() == user.gid) {
                (true, _) => 0o100,
                (_, true) => 0o010,
                _ => 0o001,
            };
            meta.mode() & needed != 0
        })
    })
}

/// A folder that every user can reach, one for each state folder.
fn outside(state_dir: &Path) -> Result<PathBuf> {
    let digest = format!("{:x}", Sha256::digest(state_dir.as_os_str().as_encoded_bytes()));
    let folder = PathBuf::from(format!(
        "/var/tmp/portcullis-{}",
        digest.get(..12).unwrap_or(&digest)
    ));
    match fs::symlink_metadata(&folder) {
        // Anybody may make a folder there; one that somebody else made is not trusted with a database.
        Ok(meta) if !meta.is_dir() || meta.uid() != Uid::effective().as_raw() => {
            bail!("{} is in the way: it belongs to somebody else", folder.display())
        }
        Ok(_) => {}
        Err(_) => fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?,
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))
        .context("a folder cannot be opened to others")?;
    let data = folder.join("postgres");
    if data.exists() {
        fs::remove_dir_all(&data).with_context(|| format!("{} cannot be removed", data.display()))?;
    }
    Ok(data)
}

fn make_private(folder: &Path, user: Option<User>) -> Result<()> {
    let make = || -> io::Result<()> {
        fs::create_dir(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        user.map_or(Ok(()), |user| chown(folder, Some(user.uid), Some(user.gid)))
    };
    make().with_context(|| format!("{} cannot be made", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_out_of_a_url() {
        let url = "postgres://user:secret@127.0.0.1:5432/postgres";
        let password = password_of(url);
        assert_eq!(password, Some("secret"));
        assert_eq!(
            without_password(url, password),
            "postgres://user@127.0.0.1:5432/postgres"
        );
        assert_eq!(password_of("postgres://127.0.0.1:5432"), None);
    }

    #[test]
    fn a_private_folder_on_the_way_cannot_be_passed() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let stranger = User {
            uid: 4_000_001,
            gid: 4_000_001,
        };
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!can_reach(stranger, &inner));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(can_reach(stranger, &inner));
    }
}
