//! `portcullis-shared` asks nothing of its host: no clock, no randomness, no JavaScript.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::fs;

use wasmparser::{Parser, Payload};
use xtask::process;
use xtask::workspace::Workspace;

/// What a module imports, and how many functions it defines.
fn read_module(wasm: &[u8]) -> (Vec<String>, u32) {
    let mut imports = Vec::new();
    let mut functions = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.unwrap();
                    imports.push(format!("{}.{}", import.module, import.name));
                }
            }
            Payload::FunctionSection(section) => functions = section.count(),
            _ => {}
        }
    }
    (imports, functions)
}

/// Builds without optimisation, so that nothing that could be imported is optimised away.
fn build(features: &str) -> (Vec<String>, u32) {
    let workspace = Workspace::find().unwrap();
    let target = workspace.target_dir();
    let mut command = workspace.cargo();
    command
        .args(["build", "--locked", "--target", "wasm32-unknown-unknown"])
        .args([
            "--package",
            "portcullis-bare-wasm",
            "--features",
            features,
            "--target-dir",
        ])
        .arg(target);
    process::quietly(
        "portcullis-shared for wasm32",
        &mut command,
        &target.join("xtask/bare-wasm.log"),
    )
    .unwrap();
    read_module(&fs::read(target.join("wasm32-unknown-unknown/debug/portcullis-bare-wasm.wasm")).unwrap())
}

#[test]
fn the_shared_crate_compiled_to_wasm_imports_nothing() {
    for features in ["", "reference"] {
        let (imports, functions) = build(features);
        assert_eq!(imports, Vec::<String>::new(), "features: {features:?}");
        // An empty module would import nothing either.
        assert!(functions > 100, "features: {features:?}: {functions} functions");
    }
}

#[test]
fn an_import_would_be_noticed() {
    let wasm = [
        &b"\0asm\x01\0\0\0"[..],
        b"\x01\x04\x01\x60\0\0",
        b"\x02\x0b\x01\x03env\x03now\0\0",
    ]
    .concat();
    assert_eq!(read_module(&wasm), (vec!["env.now".to_owned()], 0));
}
