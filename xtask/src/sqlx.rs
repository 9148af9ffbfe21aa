//! `.sqlx`: what Postgres says about every query of the origin, so that a build needs no database.
//!
//! The `query!` macros write it themselves while the compiler runs them against a live database. They run only when the
//! origin is compiled, so its sources are made to look changed, and to look as before afterwards: no build that comes
//! later has to compile it again for that.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result, bail};

use crate::{
    process,
    stack::{self, Database},
    ui,
    workspace::Workspace,
};

/// Writes `.sqlx` anew, from a database made for it.
///
/// The migrations are applied by `psql`: `portcullis migrate` would have to be compiled first, with the `.sqlx` that is
/// out of date.
pub fn run(workspace: &Workspace) -> Result<()> {
    let database = Database::start(workspace, &workspace.root().join(".dev/sqlx"))?;
    let mut migrations: Vec<PathBuf> = fs::read_dir(workspace.root().join("migrations"))
        .context("there is no folder of migrations")?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    migrations.sort();
    for migration in migrations {
        let mut psql = stack::client(workspace, "psql", "--dbname", database.url())?;
        psql.args([
            "--quiet",
            "--no-psqlrc",
            "--single-transaction",
            "--set",
            "ON_ERROR_STOP=1",
            "--file",
        ]);
        process::text(psql.arg(&migration))
            .with_context(|| format!("{} cannot be applied", migration.display()))?;
    }
    update(workspace, database.url())
}

/// Asks the migrated database at `database_url` about every query, and writes `.sqlx` anew.
fn update(workspace: &Workspace, database_url: &str) -> Result<()> {
    let fresh = describe(workspace, database_url)?;
    let folder = workspace.root().join(".sqlx");
    let kept = read(&folder)?;
    let shown = |path: &Path| format!("{} cannot be written", path.display());
    fs::create_dir_all(&folder).with_context(|| shown(&folder))?;
    for name in kept.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(folder.join(name)).with_context(|| shown(&folder))?;
    }
    for (name, text) in &fresh {
        if kept.get(name) != Some(text) {
            fs::write(folder.join(name), text).with_context(|| shown(&folder))?;
        }
    }
    ui::line(&format!(
        "  .sqlx: {} queries, {}",
        fresh.len(),
        difference(&kept, &fresh).join(", ")
    ));
    Ok(())
}

/// Fails where `.sqlx` is not what the migrated database at `database_url` says.
pub fn check(workspace: &Workspace, database_url: &str) -> Result<()> {
    let fresh = describe(workspace, database_url)?;
    let kept = read(&workspace.root().join(".sqlx"))?;
    if kept == fresh {
        ui::line(&format!("  .sqlx: {} queries, all current", fresh.len()));
        return Ok(());
    }
    bail!(
        ".sqlx is not current ({}); run `cargo xtask sqlx` and commit the change",
        difference(&kept, &fresh).join(", ")
    )
}

/// How many descriptions were added, removed and changed.
fn difference(kept: &BTreeMap<String, String>, fresh: &BTreeMap<String, String>) -> Vec<String> {
    let added = fresh.keys().filter(|name| !kept.contains_key(*name)).count();
    let removed = kept.keys().filter(|name| !fresh.contains_key(*name)).count();
    let changed = fresh
        .iter()
        .filter(|(name, text)| kept.get(*name).is_some_and(|old| old != *text))
        .count();
    vec![
        format!("{added} new"),
        format!("{removed} gone"),
        format!("{changed} changed"),
    ]
}

fn describe(workspace: &Workspace, database_url: &str) -> Result<BTreeMap<String, String>> {
    let folder = workspace.target_dir().join("xtask/sqlx");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let _touched = Touched::all_below(&workspace.root().join("origin"))?;
    let mut cargo = workspace.cargo();
    cargo
        .args(["check", "--package", "portcullis-origin", "--all-targets"])
        .env("DATABASE_URL", database_url)
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &folder);
    process::quietly(
        "asking Postgres about every query",
        &mut cargo,
        &workspace.target_dir().join("xtask/sqlx.log"),
    )?;
    read(&folder)
}

/// The descriptions in a folder, by file name.
fn read(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut queries = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.starts_with("query-") {
            let text =
                fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            queries.insert(name.to_owned(), text);
        }
    }
    Ok(queries)
}

/// Rust sources that look as if they had just been written, until this is dropped. One that really is written
/// meanwhile keeps its new time.
struct Touched {
    now: SystemTime,
    before: Vec<(PathBuf, SystemTime)>,
}

impl Touched {
    fn all_below(folder: &Path) -> Result<Self> {
        let mut touched = Self {
            now: now(),
            before: Vec::new(),
        };
        touched.add(folder)?;
        Ok(touched)
    }

    fn add(&mut self, folder: &Path) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                self.add(&path)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file =
                    File::open(&path).with_context(|| format!("{} cannot be opened", path.display()))?;
                let before = file.metadata()?.modified()?;
                self.before.push((path, before));
                file.set_modified(self.now)?;
            }
        }
        Ok(())
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        for (path, before) in &self.before {
            let _ = File::open(path).and_then(|file| {
                if file.metadata()?.modified()? == self.now {
                    file.set_modified(*before)
                } else {
                    Ok(())
                }
            });
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo compares file times with the system's clock"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_look_as_before_once_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("src/lib.rs");
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(&source, "").unwrap();
        File::open(&source)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH)
            .unwrap();
        let modified = || fs::metadata(&source).unwrap().modified().unwrap();
        let touched = Touched::all_below(folder.path()).unwrap();
        assert!(modified() > SystemTime::UNIX_EPOCH);
        drop(touched);
        assert_eq!(modified(), SystemTime::UNIX_EPOCH);
    }

    #[test]
    fn a_source_that_is_written_meanwhile_keeps_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("lib.rs");
        fs::write(&source, "").unwrap();
        let touched = Touched::all_below(folder.path()).unwrap();
        let later = touched.now + std::time::Duration::from_secs(1);
        File::open(&source).unwrap().set_modified(later).unwrap();
        drop(touched);
        assert_eq!(fs::metadata(&source).unwrap().modified().unwrap(), later);
    }

    #[test]
    fn a_difference_counts_each_kind() {
        let set = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(n, t)| ((*n).to_owned(), (*t).to_owned()))
                .collect()
        };
        let kept = set(&[("a", "1"), ("b", "1")]);
        let fresh = set(&[("b", "2"), ("c", "1")]);
        assert_eq!(difference(&kept, &fresh), ["1 new", "1 gone", "1 changed"]);
    }
}
