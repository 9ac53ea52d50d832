//! The contract between the planes: the generated messages, clients and servers of `cliproxy.control.v1`, and the
//! only place where they are turned into the nouns of `cliproxy-domain` and back.
//!
//! Generated types are named by this crate and by the gRPC edges of the two planes, nowhere else.
#![deny(missing_docs)]

pub mod convert;
mod redact;

/// The messages, clients and servers that `cliproxy/control/v1/*.proto` describe; those files say what they mean.
#[expect(missing_docs, unused_qualifications, reason = "generated; the comments are in the .proto files")]
pub mod v1 {
    tonic::include_proto!("cliproxy.control.v1");
}

/// The descriptors of every message and service, encoded as a `FileDescriptorSet`, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("control_descriptor");

/// The version of the contract that this program speaks. Fields and kinds are added without a new one, as whoever does
/// not know them passes them over; it grows when that is not enough.
pub const VERSION: u32 = 1;

/// The metadata with which a control plane says in how many milliseconds a call that it refused should be tried again,
/// as in gRPC's retry design (gRFC A6).
pub const RETRY_PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The size at which a whole configuration is cut into parts, in bytes of keys and bodies. It keeps every message
/// below the 4 MiB at which gRPC implementations refuse one by default.
pub const CHUNK_BYTES: usize = 1 << 20;
