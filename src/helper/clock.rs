//! The clock of a real login.
#![forbid(unsafe_code)]

use crate::{deadline::Moment, login::Clock};

/// The clock of this machine.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment::now()
    }
}
