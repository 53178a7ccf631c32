//! Plain types: the words of the product, without input or output. Uses nothing else of the crate.

pub mod diff;
pub mod duration;
pub mod event;
pub mod field;
pub mod image;
pub mod intent;
pub mod names;
pub mod path;
pub mod plan;
pub mod pull_request;
pub mod release;
pub mod remote;
pub mod report;
pub mod revision;
pub mod status;
pub mod verdict;
