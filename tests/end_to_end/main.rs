//! The real executable against the sandbox: what users see, which exit code they get, and what stands in Git afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::zombie_processes,
    missing_docs,
    reason = "a test"
)]

mod argo_trouble;
mod config_errors;
mod deploy;
mod diff;
mod edit;
mod git_trouble;
mod help;
mod history;
mod interrupts;
mod pipelines;
mod promote;
mod properties;
mod pull_request;
mod pull_request_trouble;
mod readme;
mod rollback;
mod sandbox_command;
mod status;
mod support;
mod tls;
mod wait;
