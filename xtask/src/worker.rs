//! Building the Workers: Rust to wasm, and the JavaScript around it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{process, ui, workspace::Workspace};

/// A Worker of this project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// The edge.
    Edge,
    /// The edge with paths that panic, for the test that looks at what a panic does.
    EdgeThatPanics,
    /// What replays the token vectors inside workerd.
    Vectors,
}

impl Worker {
    /// Its crate, seen from the root.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Edge | Self::EdgeThatPanics => "edge",
            Self::Vectors => "tests/vector-worker",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Edge => "Worker (release)",
            Self::EdgeThatPanics => "Worker that panics",
            Self::Vectors => "Worker of the token vectors",
        }
    }

    /// Everything that its build reads, seen from the root.
    fn sources(self) -> Vec<&'static str> {
        let mut sources = vec![
            "Cargo.toml",
            "Cargo.lock",
            "rust-toolchain.toml",
            "package-lock.json",
            ".cargo/config.toml",
            "shared",
        ];
        sources.push(self.folder());
        sources
    }

    /// The folder it is built into.
    #[must_use]
    pub fn out_dir(self, workspace: &Workspace) -> PathBuf {
        workspace.root().join(self.folder()).join(self.out())
    }

    /// The same, seen from its crate.
    const fn out(self) -> &'static str {
        match self {
            Self::Edge | Self::Vectors => "build",
            // Far from what is deployed.
            Self::EdgeThatPanics => "../tests/workerd/build",
        }
    }

    /// What cargo is told beyond the profile.
    const fn cargo_options(self) -> &'static [&'static str] {
        match self {
            Self::Edge | Self::Vectors => &[],
            Self::EdgeThatPanics => &["--", "--features", "panic-route"],
        }
    }
}

/// Builds a Worker, unless what is there was built from the same sources.
pub fn build(workspace: &Workspace, worker: Worker) -> Result<()> {
    let _turn = take_turn(workspace)?;
    let wanted = fingerprint(workspace, worker)?;
    let stamp = worker.out_dir(workspace).join("fingerprint");
    if fs::read_to_string(&stamp).is_ok_and(|built| built.trim() == wanted) && is_complete(workspace, worker)
    {
        ui::line(&format!("  {}: up to date", worker.label()));
        return Ok(());
    }
    let mut command = workspace.command(workspace.cargo_tool("worker-build"));
    command
        .current_dir(workspace.root().join(worker.folder()))
        // With these it downloads nothing.
        .env("WASM_BINDGEN_BIN", workspace.cargo_tool("wasm-bindgen"))
        .env("ESBUILD_BIN", workspace.npm_bin("esbuild"))
        .env("WASM_OPT_BIN", workspace.npm_bin("wasm-opt"))
        .args(["--profile", "edge", "--out-dir", worker.out()])
        .args(worker.cargo_options());
    let log = workspace
        .target_dir()
        .join(format!("xtask/{}.log", worker.label().replace(' ', "-")));
    process::quietly(worker.label(), &mut command, &log)?;
    if !is_complete(workspace, worker) {
        bail!(
            "worker-build left no index.js and index_bg.wasm in {}",
            worker.out_dir(workspace).display()
        );
    }
    fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))
}

fn is_complete(workspace: &Workspace, worker: Worker) -> bool {
    ["index.js", "index_bg.wasm"]
        .iter()
        .all(|file| worker.out_dir(workspace).join(file).is_file())
}

/// One build at a time: several `wrangler dev` may start together, and each asks for one.
fn take_turn(workspace: &Workspace) -> Result<File> {
    let folder = workspace.target_dir().join("xtask");
    let file = fs::create_dir_all(&folder)
        .and_then(|()| File::create(folder.join("worker.lock")))
        .and_then(|file| file.lock().map(|()| file));
    file.with_context(|| format!("{} cannot be locked", folder.display()))
}

/// A digest of everything a Worker is built from. Contents, not times: a fresh checkout has new times and old contents.
fn fingerprint(workspace: &Workspace, worker: Worker) -> Result<String> {
    let mut files = Vec::new();
    for source in worker.sources() {
        collect(&workspace.root().join(source), &mut files)?;
    }
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        let bytes = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let name = file.strip_prefix(workspace.root()).unwrap_or(&file);
        digest.update(name.as_os_str().as_encoded_bytes());
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    }
    Ok(format!("{:x}", digest.finalize()))
}

/// The files at or below `path`, without what a build writes and without tests, which no build reads.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    if !path.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))? {
        let entry = entry?;
        if !["build", "target", "tests", "benches"]
            .iter()
            .any(|skipped| entry.file_name() == *skipped)
        {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_follows_the_sources_alone() {
        let workspace = Workspace::find().unwrap();
        let first = fingerprint(&workspace, Worker::Edge).unwrap();
        assert_eq!(first, fingerprint(&workspace, Worker::Edge).unwrap());
        assert_ne!(first, fingerprint(&workspace, Worker::Vectors).unwrap());
        // The same sources, built otherwise, into another folder with a stamp of its own.
        assert_ne!(
            Worker::Edge.out_dir(&workspace),
            Worker::EdgeThatPanics.out_dir(&workspace)
        );
    }

    #[test]
    fn what_a_build_writes_is_not_a_source() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["src/lib.rs", "build/index.js", "tests/vectors.rs"] {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let mut files = Vec::new();
        collect(folder.path(), &mut files).unwrap();
        assert_eq!(files, [folder.path().join("src/lib.rs")]);
    }
}
