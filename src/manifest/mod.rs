//! The YAML engine: byte-exact edits of the fields that carry versions.
