//! What kind of machine this is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::unistd::Uid;

use crate::workspace::{is_executable, on_path};

/// Whether apt may be used, or what stands against it.
pub(super) fn can_use_apt() -> Result<(), String> {
    if on_path("apt-get").is_none() || !is_debian(&fs::read_to_string("/etc/os-release").unwrap_or_default())
    {
        return Err("they are installed by this command on Debian only".to_owned());
    }
    if !Uid::effective().is_root() {
        return Err("they are installed by this command only when it runs as root".to_owned());
    }
    Ok(())
}

/// Whether this `os-release` is of Debian or of one of its children.
fn is_debian(os_release: &str) -> bool {
    os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .any(|ids| ids.trim_matches('"').split_whitespace().any(|id| id == "debian"))
}

/// The folder of PostgreSQL's server programs: the newest of Debian's, which are not on `PATH`, else one on `PATH`.
#[must_use]
pub fn postgres_bin_dir() -> Option<PathBuf> {
    let complete = |folder: &Path| {
        ["initdb", "postgres", "createdb", "pg_isready"]
            .iter()
            .all(|name| is_executable(&folder.join(name)))
    };
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, folder)| complete(folder))
        .collect();
    versions.sort();
    let newest = versions.pop().map(|(_, folder)| folder);
    newest.or_else(|| Some(on_path("initdb")?.parent()?.to_path_buf()).filter(|folder| complete(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_its_children_are_known() {
        assert!(is_debian("NAME=x\nID=debian\n"));
        assert!(is_debian("ID=ubuntu\nID_LIKE=\"debian\"\n"));
        assert!(!is_debian("ID=fedora\n"));
        assert!(!is_debian(""));
    }
}
