//! This host's own ledger: one file.
#![forbid(unsafe_code)]
