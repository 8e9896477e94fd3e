//! A case that finds out on its way that it cannot be tried here. It says why, and does not fail.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

struct Skipped(&'static str);

/// Ends the case.
pub fn skip(why: &'static str) -> ! {
    // No panic: nothing is written about it but what `run` writes.
    resume_unwind(Box::new(Skipped(why)))
}

/// Runs a case.
pub fn run(name: &str, case: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(case)) {
        match payload.downcast::<Skipped>() {
            Ok(skipped) => eprintln!("SKIPPED {name}: {}", skipped.0),
            Err(payload) => resume_unwind(payload),
        }
    }
}
