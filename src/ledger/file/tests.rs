//! The whole store: against the model, with clocks that are set by hand.

mod stage;

use std::time::Duration;

use super::*;
use crate::ledger::conform;
use stage::{Scratch, Time};

#[test]
fn it_is_like_the_model() {
    for seed in 0..40 {
        let scratch = Scratch::new();
        let time = Time::default();
        let mut file = scratch.open(&time);
        conform::compare(&mut file, |while_| time.pass(while_), Duration::ZERO, seed);
    }
}
