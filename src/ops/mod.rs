//! Use cases: plan, deliver, wait, deploy. No argument parsing, no printing; they speak upward by events.

pub mod ci;
pub mod edit;
pub mod intent;
pub mod outcome;
pub mod wait;
