//! Where things are in this checkout, and how its programs are called.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// The checkout that a command works on.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
    target_dir: PathBuf,
}

impl Workspace {
    /// Looks for the checkout from the current folder upwards, then where cargo says this package lies.
    pub fn find() -> Result<Self> {
        let here = env::current_dir().context("the current folder is gone")?;
        let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let root = here
            .ancestors()
            .chain(package.iter().flat_map(|package| package.ancestors()))
            .find(|folder| folder.join("xtask/Cargo.toml").is_file())
            .map(Path::to_path_buf);
        let Some(root) = root else {
            bail!("{} is not inside a checkout of Portcullis", here.display());
        };
        let target_dir = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => here.join(folder),
            None => root.join("target"),
        };
        Ok(Self { root, target_dir })
    }

    /// The folder of the workspace's `Cargo.toml`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo builds, absolute, so that it may be handed to programs that start elsewhere.
    #[must_use]
    pub fn target_dir(&self) -> &Path {
        &self.target_dir
    }

    /// The folder of programs built with the development profile.
    ///
    /// It is the one the running program came from where that is a build folder of cargo (a test binary lies in
    /// its `deps`), so that a test starts exactly what was built with it.
    #[must_use]
    pub fn bin_dir(&self) -> PathBuf {
        let from_cargo = |folder: &Path| folder.join(".fingerprint").is_dir();
        env::current_exe()
            .ok()
            .and_then(|program| {
                program
                    .ancestors()
                    .skip(1)
                    .take(2)
                    .find(|f| from_cargo(f))
                    .map(Path::to_path_buf)
            })
            .unwrap_or_else(|| self.target_dir.join("debug"))
    }

    /// The folder of tools that cargo built for this checkout alone.
    #[must_use]
    pub fn tools_dir(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// The program `name` of an installed npm package.
    #[must_use]
    pub fn npm_bin(&self, name: &str) -> PathBuf {
        self.root.join("node_modules/.bin").join(name)
    }

    /// The program `name` among the tools that cargo built.
    #[must_use]
    pub fn cargo_tool(&self, name: &str) -> PathBuf {
        self.tools_dir().join("bin").join(name)
    }

    /// A call of `program` from the root, with the checkout's own tools first on `PATH`.
    ///
    /// What `cargo run` and `cargo test` put into the environment for one package is taken out again: build scripts
    /// watch some of it, and would run anew for every nested cargo.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", self.search_path());
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(is_of_one_package) {
                command.env_remove(name);
            }
        }
        if env::var_os("CARGO_TARGET_DIR").is_some() {
            command.env("CARGO_TARGET_DIR", &self.target_dir);
        }
        command
    }

    /// A call of the cargo that runs this program, or the one on `PATH`.
    #[must_use]
    pub fn cargo(&self) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    fn search_path(&self) -> std::ffi::OsString {
        let mut folders = vec![self.root.join("node_modules/.bin"), self.tools_dir().join("bin")];
        if let Some(path) = env::var_os("PATH") {
            folders.extend(env::split_paths(&path));
        }
        env::join_paths(folders).unwrap_or_else(|_| env::var_os("PATH").unwrap_or_default())
    }
}

/// Whether cargo sets this variable for one package, and so must not reach another cargo.
fn is_of_one_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || matches!(
            name,
            "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "CARGO_TARGET_TMPDIR" | "OUT_DIR"
        )
}

/// The first program called `name` on `PATH`.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

/// Whether `file` is a regular file that somebody may execute.
#[must_use]
pub fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkout_is_found_from_a_folder_inside_it() {
        let workspace = Workspace::find().unwrap();
        assert!(workspace.root().join("xtask/src/workspace.rs").is_file());
        assert!(workspace.target_dir().is_absolute());
    }

    #[test]
    fn variables_of_one_package_do_not_reach_a_nested_cargo() {
        assert!(is_of_one_package("CARGO_PKG_NAME"));
        assert!(is_of_one_package("CARGO_MANIFEST_DIR"));
        assert!(!is_of_one_package("CARGO_TARGET_DIR"));
        assert!(!is_of_one_package("CARGO_HOME"));
    }

    #[test]
    fn a_file_without_the_execute_bit_is_not_a_program() {
        let workspace = Workspace::find().unwrap();
        assert!(!is_executable(&workspace.root().join("Cargo.toml")));
        assert!(on_path("sh").is_some());
    }
}
