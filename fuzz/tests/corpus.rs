//! The inputs that are kept: what the fuzzer found to reach different code, and what once broke something.

use std::fs;
use std::path::Path;

use portcullis_fuzz::TARGETS;

/// All inputs together, in bytes; they are in the repository.
const MOST_BYTES: u64 = 200 * 1024;

#[test]
fn every_input_that_is_kept_still_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut bytes = 0;
    for (name, check) in TARGETS {
        check(b"");
        let mut inputs = 0;
        for file in fs::read_dir(corpus.join(name)).unwrap() {
            let input = fs::read(file.unwrap().path()).unwrap();
            bytes += input.len() as u64;
            check(&input);
            inputs += 1;
        }
        assert!(inputs > 0, "no input is kept for {name}");
        println!("{name}: {inputs} inputs");
    }
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
}

#[test]
fn every_target_has_a_program() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}
