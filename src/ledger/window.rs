//! Sliding windows: how many in any span of a length.
#![forbid(unsafe_code)]
