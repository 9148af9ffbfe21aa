//! The packages of the two lock files. Among those of the root is Node itself, in the version that wrangler wants.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::{process, workspace::Workspace};

/// The oldest Node that wrangler accepts.
const OLDEST_NODE: (u32, u32) = (22, 12);

/// A lock file and what is installed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packages {
    /// What they are called in reports.
    pub name: &'static str,
    /// The folder of the lock file, seen from the root.
    folder: &'static str,
    /// Whether packages may run scripts of their own when they are installed.
    scripts: bool,
    /// Programs that must run afterwards.
    programs: &'static [&'static str],
}

/// What builds, runs and drives the Worker.
pub(super) const TOOLS: Packages = Packages {
    name: "npm packages",
    folder: "",
    // The binaries of Node, workerd and esbuild are put in place by their packages' own scripts.
    scripts: true,
    programs: &["node", "esbuild", "workerd", "wasm-opt", "wrangler"],
};

/// What the benchmarks compare with.
pub(super) const RIVALS: Packages = Packages {
    name: "npm packages of the benchmarks",
    folder: "xtask/bench",
    scripts: false,
    programs: &[],
};

impl Packages {
    /// Compares the lock file with the one that was installed, and asks Node for its version.
    pub(super) fn check(self, workspace: &Workspace) -> Result<String, String> {
        let wanted = self.lock_digest(workspace).map_err(|error| error.to_string())?;
        let installed = fs::read_to_string(self.stamp(workspace)).unwrap_or_default();
        if installed.trim() != wanted {
            let lock = Path::new(self.folder).join("package-lock.json");
            return Err(format!("node_modules is not what {} says", lock.display()));
        }
        let version = process::text(workspace.command(workspace.npm_bin("node")).arg("--version"))
            .map_err(|error| format!("Node of node_modules does not run: {error}"))?;
        if is_new_enough(&version) {
            Ok(format!("Node {version}"))
        } else {
            Err(format!("Node {version} is too old"))
        }
    }

    /// Installs exactly what the lock file says, and tries the programs that come out of it.
    pub(super) fn install(self, workspace: &Workspace) -> Result<()> {
        let log = workspace.tools_dir().join("log/npm.log");
        let mut command = workspace.command("npm");
        command
            .args(["ci", "--no-audit", "--no-fund"])
            .arg(format!("--ignore-scripts={}", !self.scripts))
            .current_dir(workspace.root().join(self.folder));
        process::quietly(&format!("installing {}", self.name), &mut command, &log)?;
        for program in self.programs {
            process::text(workspace.command(workspace.npm_bin(program)).arg("--version")).with_context(
                || {
                    format!(
                        "{program} was installed by npm and does not run; npm's output is in {}",
                        log.display()
                    )
                },
            )?;
        }
        fs::write(self.stamp(workspace), self.lock_digest(workspace)?)
            .context("node_modules cannot be written to")
    }

    /// How a person installs them.
    pub(super) fn advice(self) -> String {
        if self.folder.is_empty() {
            "npm ci".to_owned()
        } else {
            format!("npm ci, in {}", self.folder)
        }
    }

    fn stamp(self, workspace: &Workspace) -> PathBuf {
        workspace
            .root()
            .join(self.folder)
            .join("node_modules/.portcullis-lock")
    }

    fn lock_digest(self, workspace: &Workspace) -> Result<String> {
        let file = workspace.root().join(self.folder).join("package-lock.json");
        let lock = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        Ok(format!("{:x}", Sha256::digest(lock)))
    }
}

/// Whether this is a version (`v22.12.0`) that wrangler accepts.
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version
        .trim_start_matches('v')
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= OLDEST_NODE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_node_is_a_limit() {
        assert!(is_new_enough("v22.12.0"));
        assert!(is_new_enough("v24.0.1"));
        assert!(!is_new_enough("v22.11.9"));
        assert!(!is_new_enough("v20.20.2"));
        assert!(!is_new_enough("what"));
    }

    #[test]
    fn every_folder_of_packages_has_a_lock_file() {
        let workspace = Workspace::find().unwrap();
        for packages in [TOOLS, RIVALS] {
            assert!(packages.lock_digest(&workspace).is_ok(), "{}", packages.name);
        }
    }
}
