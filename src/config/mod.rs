//! Configuration: the map in the config repo, the user file, environment and flags, and who may say what.
//!
//! `map` is data: it names services, environments, fields and policies, and nothing that receives a token or runs (reliability.md 2.4,
//! trust rule). `user` and `layers` are the user's own side.

mod claims;
pub mod discover;
#[cfg(test)]
mod documents_test;
pub mod layers;
pub mod map;
mod schema;
mod shape;
pub mod targets;
#[cfg(test)]
mod targets_test;
pub mod user;
mod yaml;

pub use schema::{map_schema, user_schema};
