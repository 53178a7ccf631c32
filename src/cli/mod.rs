//! Arguments: the command tree, global options, exit.
