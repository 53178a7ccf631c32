//! Configuration: the map in the config repo, the user file, environment and flags, and who may say what.
