//! A case that cannot run on this machine reports why and does not fail.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

struct Skipped(&'static str);

/// Ends the case.
pub fn skip(why: &'static str) -> ! {
    // Without a panic message: `run` reports the reason.
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
