//! Use cases: plan, deliver, wait, deploy. No argument parsing, no printing; they speak upward by events.

pub mod wait;
