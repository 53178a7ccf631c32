//! Configuration: the map in the config repo, the user file, environment and flags, and who may say what.
//!
//! `map` is data: it names services, environments, fields and policies, and nothing that receives a token or runs (reliability.md 2.4,
//! trust rule). `user` and `layers` are the user's own side.

pub mod discover;
pub mod layers;
pub mod map;
mod schema;
pub mod targets;
pub mod user;
mod yaml;

pub use schema::map_schema;
