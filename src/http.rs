//! The HTTP client: origins, deadlines, byte caps, redaction.
