//! Use cases: plan, deliver, wait, deploy. No argument parsing, no printing; they speak upward by events.

mod advice;
pub mod age;
pub mod ci;
pub mod deliver;
pub mod deploy;
pub mod diff;
pub mod edit;
mod git_facts;
pub mod history;
pub mod intent;
pub mod manner;
pub mod outcome;
pub mod plan;
pub mod promote;
pub mod pull_request;
pub mod releases;
pub mod remote;
pub mod resume;
pub mod revert;
pub mod rollback;
pub mod session;
pub mod status;
pub mod verify;
pub mod wait;
mod write;
