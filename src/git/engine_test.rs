//! A bare repository served from the file system, for the tests of the engine.
