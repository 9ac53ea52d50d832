//! The example configuration, which names every key.

/// The text of `config.example.yaml`.
pub const EXAMPLE: &str = include_str!("../../../config.example.yaml");
