//! Programs that cargo builds for this checkout alone, under `.tools/`.

use std::fs;

use anyhow::Result;

use crate::{
    process,
    workspace::{Workspace, is_executable},
};

/// A program from a crate, in one exact version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The crate.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The program it brings.
    pub binary: &'static str,
}

/// Turns a crate into a Worker.
pub(super) const WORKER_BUILD: Tool = Tool {
    package: "worker-build",
    version: "0.8.7",
    binary: "worker-build",
};

/// Writes the JavaScript side of a wasm module; its version must be that of the crate `wasm-bindgen`.
pub(super) const WASM_BINDGEN: Tool = Tool {
    package: "wasm-bindgen-cli",
    version: "0.2.129",
    binary: "wasm-bindgen",
};

/// Holds the dependencies to the rules of `deny.toml`.
pub(super) const CARGO_DENY: Tool = Tool {
    package: "cargo-deny",
    version: "0.20.2",
    binary: "cargo-deny",
};

/// Builds programs that libFuzzer drives.
pub(super) const CARGO_FUZZ: Tool = Tool {
    package: "cargo-fuzz",
    version: "0.13.1",
    binary: "cargo-fuzz",
};

impl Tool {
    /// Finds it in cargo's own record of what it installed.
    pub(super) fn check(self, workspace: &Workspace) -> Result<String, String> {
        let record = fs::read_to_string(workspace.tools_dir().join(".crates.toml")).unwrap_or_default();
        let binary = workspace.cargo_tool(self.binary);
        if record.contains(&format!("\"{} {} (", self.package, self.version)) && is_executable(&binary) {
            Ok(format!("{} {}", self.version, binary.display()))
        } else {
            Err(format!("{} {} is not under .tools/", self.package, self.version))
        }
    }

    /// Builds it.
    ///
    /// These programs run for seconds and are compiled for minutes, so they are built with little optimisation.
    pub(super) fn install(self, workspace: &Workspace) -> Result<()> {
        let mut command = workspace.cargo();
        command
            .args([
                "install",
                self.package,
                "--version",
                self.version,
                "--locked",
                "--root",
            ])
            .arg(workspace.tools_dir())
            // A folder that all three share, outside the checkout's own, whose profiles and flags differ.
            .env("CARGO_TARGET_DIR", workspace.tools_dir().join("target"))
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
            .env_remove("RUSTFLAGS");
        let log = workspace.tools_dir().join(format!("log/{}.log", self.package));
        process::quietly(
            &format!("building {} {}", self.package, self.version),
            &mut command,
            &log,
        )
    }

    /// The command that a person would type.
    pub(super) fn advice(self) -> String {
        format!(
            "cargo install {} --version {} --locked --root .tools",
            self.package, self.version
        )
    }
}
