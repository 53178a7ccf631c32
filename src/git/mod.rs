//! The Git engine: cache, objects, transport, history, and the push that cannot lie.
