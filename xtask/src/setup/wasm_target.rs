//! The standard library for `wasm32-unknown-unknown`.

use std::path::Path;

use anyhow::{Result, bail};

use crate::{
    process,
    workspace::{Workspace, on_path},
};

const TARGET: &str = "wasm32-unknown-unknown";

/// What a person types.
pub(super) const ADVICE: &str = "rustup target add wasm32-unknown-unknown";

/// Asks the compiler where it would look, and looks.
pub(super) fn check(workspace: &Workspace) -> Result<String, String> {
    let mut rustc = workspace.command("rustc");
    let folder = process::text(rustc.args(["--print", "target-libdir", "--target", TARGET]))
        .map_err(|error| error.to_string())?;
    if Path::new(&folder).is_dir() {
        Ok(folder)
    } else {
        Err(format!("no standard library in {folder}"))
    }
}

/// Adds it to the toolchain of this checkout.
pub(super) fn install(workspace: &Workspace) -> Result<()> {
    if on_path("rustup").is_none() {
        bail!(
            "the standard library for {TARGET} is missing, and there is no rustup to add it; install it with your compiler"
        );
    }
    let mut command = workspace.command("rustup");
    let log = workspace.tools_dir().join("log/rustup.log");
    process::quietly(
        &format!("adding the target {TARGET}"),
        command.args(["target", "add", TARGET]),
        &log,
    )
}
