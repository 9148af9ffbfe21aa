//! The size of the Worker as it travels.

use anyhow::{Context, Result};

use super::report::{Figure, Row};
use crate::{
    process,
    worker::{Worker, build},
    workspace::Workspace,
};

/// 300 KB.
const LIMIT: f64 = 300_000.0;

/// The row of the size of the edge.
pub(super) fn row(workspace: &Workspace) -> Result<Row> {
    build(workspace, Worker::Edge)?;
    let wasm = compressed(workspace, "index_bg.wasm")?;
    let glue = compressed(workspace, "index.js")?;
    Ok(Row::figures(
        "edge after gzip -9",
        vec![
            Figure::new("index_bg.wasm", wasm, "bytes").below(LIMIT),
            Figure::new("index.js", glue, "bytes"),
        ],
    ))
}

fn compressed(workspace: &Workspace, file: &str) -> Result<f64> {
    let mut command = workspace.command("sh");
    command
        .args(["-c", "gzip -9 -n -c \"$1\" | wc -c", "gzip"])
        .arg(Worker::Edge.out_dir(workspace).join(file));
    let size = process::text(&mut command)?;
    size.trim()
        .parse()
        .with_context(|| format!("{size:?} is no number of bytes"))
}
