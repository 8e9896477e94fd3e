//! Points in time, deadlines, and the check whether a wait ended on time.
#![forbid(unsafe_code)]

mod clock;
mod wait;

pub use clock::{Deadline, Moment, calendar};
pub use wait::{Late, Wait};
