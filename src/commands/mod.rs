//! One file per command: arguments to `ops`, results to `ui`.
