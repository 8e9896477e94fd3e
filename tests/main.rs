//! All cases that test the product from outside: one program, so that it is linked once, and one lab, so
//! that its servers are started once.
//!
//! Cases that need a private machine (root) are reported as skipped without it.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails"
)]

mod command;
mod drift;
mod hostile;
mod install;
mod logins;
mod module;
mod skipped;

use lab::Lab;
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::sync::Arc;

/// A case with its name. It fails by panicking.
type Case = (&'static str, fn(&Lab));

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(lab::pamhost::child::FLAG) {
        lab::pamhost::child::main();
        return ExitCode::SUCCESS;
    }
    if std::env::args().nth(1).as_deref() == Some(hostile::sandbox::confined::FLAG) {
        hostile::sandbox::confined::main(&std::env::args().skip(2).collect::<Vec<_>>());
        return ExitCode::SUCCESS;
    }
    if std::env::args().nth(1).as_deref() == Some(hostile::sandbox::names::FLAG) {
        hostile::sandbox::names::main();
        return ExitCode::SUCCESS;
    }
    if std::env::args().nth(1).as_deref() == Some(lab::tracer::FLAG) {
        lab::tracer::main(&std::env::args().skip(2).collect::<Vec<_>>());
        return ExitCode::SUCCESS;
    }
    if lab::fake_helper::is_requested() {
        lab::fake_helper::main();
    }
    let mut arguments = Arguments::from_args();
    if arguments.list {
        // Only a list is wanted: nothing is started.
        return libtest_mimic::run(&arguments, trials(&Arc::new(Lab::bare()))).exit_code();
    }
    // Logins mostly wait (for a timeout or a server), so more run than there are cores.
    arguments.test_threads.get_or_insert(4);
    let lab = Arc::new(Lab::set_up());
    let conclusion = libtest_mimic::run(&arguments, trials(&lab));
    if let Some(why) = lab.machine_error() {
        eprintln!("\nNOT TRIED: real logins and the hostile host, because {why}");
        if std::env::var_os("LAB_WORLD").is_some_and(|wanted| wanted == "required") {
            return ExitCode::FAILURE;
        }
    }
    conclusion.exit_code()
}

fn trials(lab: &Arc<Lab>) -> Vec<Trial> {
    let closed = lab.machine_error().is_some();
    let wing = |cases: Vec<Case>, skip: bool| {
        cases.into_iter().map(move |(name, case)| {
            let lab = Arc::clone(lab);
            Trial::test(name, move || {
                skipped::run(name, || case(&lab));
                Ok(())
            })
            .with_ignored_flag(skip)
        })
    };
    wing(drift::cases(), false)
        .chain(wing(command::cases(), false))
        .chain(wing(install::cases(), false))
        .chain(wing(module::cases(), false))
        .chain(wing(logins::cases(), closed))
        .chain(wing(hostile::cases(), closed))
        .collect()
}
