//! The packages of `package-lock.json`. Among them is Node itself, in the version that wrangler wants.

use std::fs;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::{process, workspace::Workspace};

/// The oldest Node that wrangler accepts.
const OLDEST_NODE: (u32, u32) = (22, 12);

/// Compares the lock file with the one that was installed, and asks Node for its version.
pub(super) fn check(workspace: &Workspace) -> Result<String, String> {
    let wanted = lock_digest(workspace).map_err(|error| error.to_string())?;
    let installed = fs::read_to_string(stamp(workspace)).unwrap_or_default();
    if installed.trim() != wanted {
        return Err("node_modules is not what package-lock.json says".to_owned());
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
pub(super) fn install(workspace: &Workspace) -> Result<()> {
    let log = workspace.tools_dir().join("log/npm.log");
    let mut command = workspace.command("npm");
    // The binaries of Node, workerd and esbuild are put in place by their packages' own scripts.
    command.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts=false"]);
    process::quietly("installing npm packages", &mut command, &log)?;
    for program in ["node", "esbuild", "workerd", "wasm-opt", "wrangler"] {
        process::text(workspace.command(workspace.npm_bin(program)).arg("--version")).with_context(|| {
            format!(
                "{program} was installed by npm and does not run; npm's output is in {}",
                log.display()
            )
        })?;
    }
    fs::write(stamp(workspace), lock_digest(workspace)?).context("node_modules cannot be written to")
}

fn stamp(workspace: &Workspace) -> std::path::PathBuf {
    workspace.root().join("node_modules/.portcullis-lock")
}

fn lock_digest(workspace: &Workspace) -> Result<String> {
    let lock =
        fs::read(workspace.root().join("package-lock.json")).context("package-lock.json cannot be read")?;
    Ok(format!("{:x}", Sha256::digest(lock)))
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
}
