//! windlass: turns `deploy`, `promote` and `rollback` into commits against a config repo, and proves that Argo CD runs them.
//!
//! Who may use whom is written in `tests/architecture.rs` and checked there.

pub mod argocd;
pub mod config;
pub mod context;
pub mod error;
pub mod git;
pub mod http;
pub mod manifest;
pub mod model;
pub mod ops;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod ui;
