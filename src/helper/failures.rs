//! The failures of the helper itself.
#![forbid(unsafe_code)]

use crate::failure::{Failure, FailureKind, Stage};

/// A system call failed, or this machine does not have what the helper needs.
pub fn local(what: String) -> Failure {
    Failure::new(Stage::Helper, FailureKind::Local, what, "")
}

/// The settings are wrong. Texts of `config` contain their remedy.
pub fn bad_settings(what: String) -> Failure {
    Failure::new(Stage::Settings, FailureKind::BadSettings, what, "")
}

/// The settings could not be read because of this machine.
pub fn unreadable_settings(what: String) -> Failure {
    Failure::new(Stage::Settings, FailureKind::Local, what, "")
}

pub fn config_path_not_utf8() -> Failure {
    bad_settings("config= is not UTF-8".to_owned())
}

pub fn malformed_counts() -> Failure {
    helper("the module sent malformed counts".to_owned())
}

pub fn panicked(file: &str, line: u32) -> Failure {
    helper(format!(
        "the helper panicked at {file}:{line}; please report it"
    ))
}

fn helper(what: String) -> Failure {
    Failure::new(Stage::Helper, FailureKind::Helper, what, "")
}
