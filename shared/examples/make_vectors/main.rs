//! Writes `shared/tests/vectors/*.json`. The output is a function of the committed keys alone, and a test
//! holds the committed files to it: `cargo run -p portcullis-shared --example make_vectors`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the generator's only inputs are committed with it"
)]

mod cases;
mod claims;
mod header;
mod mint;
mod shape;

use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    for (name, file) in cases::files() {
        let json = serde_json::to_string_pretty(&file)?;
        fs::write(folder.join(name), json + "\n")?;
        println!("{name}: {} tokens", file.cases.len());
    }
    Ok(())
}
