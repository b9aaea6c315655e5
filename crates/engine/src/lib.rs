//! Where the project lives: scan, index, staging, transaction, settle, use cases.
