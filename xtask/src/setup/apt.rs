//! Debian packages.

use anyhow::Result;

use crate::{process, workspace::Workspace};

/// Installs `packages` with what they need and nothing more.
pub(super) fn install(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let log = |name: &str| workspace.tools_dir().join(format!("log/apt-{name}.log"));
    let apt = |words: &[&str]| {
        let mut command = workspace.command("apt-get");
        command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    process::quietly(
        "reading Debian's package lists",
        &mut apt(&["update"]),
        &log("update"),
    )?;
    let mut install = apt(&["install", "--yes", "--no-install-recommends"]);
    process::quietly(
        &format!("installing {}", packages.join(", ")),
        install.args(packages),
        &log("install"),
    )
}
