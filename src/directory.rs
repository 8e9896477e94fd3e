//! Who this is: one entry, its password proved, its verified phone.
#![forbid(unsafe_code)]
