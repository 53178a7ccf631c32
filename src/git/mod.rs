//! The Git engine: cache, objects, transport, history, and the push that cannot lie.
//!
//! Objects are read and written with git2, in memory, without a work tree; everything that touches the network is the user's own `git`
//! (`transport`, the one seam). A cache entry holds two bare repositories (`cache`): `tip.git`, shallow and without blobs, which a deploy
//! reads and writes, and `commits.git`, commits only, made when an intent id or the ancestry of an old commit is asked for.

mod cache;
mod child;
mod commit;
mod credential;
mod head;
mod history;
mod lock;
mod log;
mod merge;
mod publish;
mod remote;
mod repository;
mod snapshot;
mod transport;
mod trouble;

#[cfg(test)]
mod engine_test;
#[cfg(test)]
mod publish_test;
#[cfg(test)]
mod rig_test;

pub use commit::Identity;
pub use head::Head;
pub use history::CommitFacts;
pub use log::{LogPage, LogQuery};
pub use merge::{Merged, merge_file};
pub use publish::{Proposal, Publish, Published};
pub use remote::{RemoteUrl, Scheme};
pub use repository::{ConfigRepository, GitSettings, Tip};
pub use snapshot::{EntryKind, Snapshot};
