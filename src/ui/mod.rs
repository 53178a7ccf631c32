//! What people see: streams, colour, tables, progress, prompts. Every sentence a user reads.
