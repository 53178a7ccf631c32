//! The simulator against the recordings.
