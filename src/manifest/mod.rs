//! The YAML engine: byte-exact edits of the fields that carry versions.
//!
//! A file is parsed to a tree of byte spans (`document`), a path or a field kind finds its nodes (`locate`, `kustomize`, `container`,
//! `application`), the changes become splices of the original bytes (`splice`, `append`, `tree`, `scalar`), and the result is parsed again and
//! compared with what was asked for (`oracle`): nobody ever sees bytes in which another node changed. Everything here is pure.
//!
//! What is no YAML, or cannot be edited alone (aliases, inherited and duplicate keys, blocks), is refused with exit 21; what is not
//! there, or could mean several things, with exit 20. An anchored scalar may be edited: its aliases were written to follow it.

mod append;
mod application;
mod change;
mod container;
mod document;
mod field;
mod kustomize;
#[cfg(test)]
mod layout_test;
mod locate;
mod oracle;
mod scalar;
mod splice;
mod tree;
mod version;

#[cfg(test)]
mod corpus_test;
#[cfg(test)]
mod differential_test;
#[cfg(test)]
mod field_test;
#[cfg(test)]
mod property_test;

pub use change::{Change, append, edit, set};
pub use document::MAXIMUM_BYTES;
pub use field::{Applied, Reading, apply, read};
