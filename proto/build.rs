//! Compiles the contract: messages, clients and servers, and the descriptor set for reflection.

use prost::Message;
use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 6] = [
    "cliproxy/control/v1/failover.proto",
    "cliproxy/control/v1/sync.proto",
    "cliproxy/control/v1/telemetry.proto",
    "cliproxy/control/v1/ops.proto",
    "cliproxy/control/v1/quota.proto",
    "cliproxy/control/v1/replica.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=cliproxy");

    let descriptors = protox::compile(FILES, ["."])?;
    // `compile_fds` writes no descriptor file, whatever it is configured to.
    let out = PathBuf::from(env::var("OUT_DIR")?).join("control_descriptor.bin");
    fs::write(out, descriptors.encode_to_vec())?;

    tonic_prost_build::configure()
        .btree_map(".")
        // A snapshot goes to many nodes: its bodies are counted references, not copies.
        .bytes(".cliproxy.control.v1.Change.body")
        // These hold keys; `src/redact.rs` writes a `Debug` that does not show them.
        .skip_debug([
            ".cliproxy.control.v1.Credential",
            ".cliproxy.control.v1.Change",
            ".cliproxy.control.v1.ClientKey",
            ".cliproxy.control.v1.ApplyConfigRequest",
            ".cliproxy.control.v1.DryRunConfigRequest",
            ".cliproxy.control.v1.AskRequest",
            ".cliproxy.control.v1.AskResponse",
            ".cliproxy.control.v1.ClientKeyChange",
        ])
        .compile_fds(descriptors)?;
    Ok(())
}
