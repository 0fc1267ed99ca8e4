//! What the build makes of `proto/`: messages, clients, and the traits that the daemon implements.

pub use crucible_v1::*;

#[expect(
    clippy::allow_attributes,
    clippy::too_many_lines,
    reason = "made by the build"
)]
mod crucible_v1 {
    tonic::include_proto!("crucible.v1");
}

/// `grpc.health.v1`, as gRPC defines it for all its languages.
#[expect(
    clippy::allow_attributes,
    clippy::too_many_lines,
    reason = "made by the build"
)]
pub mod health {
    tonic::include_proto!("grpc.health.v1");
}
