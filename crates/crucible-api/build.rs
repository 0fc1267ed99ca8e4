//! Makes Rust of the .proto files, with a compiler that is Rust itself: nothing need be installed.

use std::error::Error;

/// What there is, below `proto`.
const FILES: [&str; 3] = [
    "crucible/v1/events.proto",
    "crucible/v1/services.proto",
    "grpc/health/v1/health.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(FILES, ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .btree_map(".")
        .boxed(".crucible.v1.SubscribeResponse.told.event")
        .compile_fds(files)?;
    Ok(())
}
