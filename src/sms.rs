//! Carries a text to a phone, knowing nothing of users.
#![forbid(unsafe_code)]
