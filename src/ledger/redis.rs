//! One ledger for a fleet, in Redis or Valkey.
#![forbid(unsafe_code)]
