//! The Argo CD half: the client, the wire types, and the pure verdict.

pub mod api;
pub mod client;
pub mod login;
pub mod settings;
pub mod verdict;
pub mod wire;
