//! The smallest settings, which the README shows: the defaults of all other keys protect, too.

use super::login::{LATER, Login, Say, someone};
use crate::Case;
use crate::logins::steps::repository;
use lab::Lab;
use lab::pamhost::code;
use std::collections::BTreeSet;

pub const CASES: &[Case] = &[
    (
        "module::smallest::the_sixth_sms_is_refused",
        the_sixth_sms_is_refused,
    ),
    (
        "module::smallest::the_tenth_wrong_code_locks",
        the_tenth_wrong_code_locks,
    ),
];

/// The keys of the README's first settings, with their section.
fn shown() -> BTreeSet<String> {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("the README");
    let block = readme.split("```toml\n").nth(1).expect("settings");
    let block = block.split("```").next().expect("their end");
    let mut section = "";
    let mut keys = BTreeSet::new();
    for line in block.lines().filter(|line| !line.starts_with('#')) {
        if let Some(head) = line.strip_prefix('[') {
            section = head.trim_end_matches(']');
        } else if let Some((key, _)) = line.split_once(" = ") {
            keys.insert(format!("{section}.{key}"));
        }
    }
    keys
}

/// The lab's settings without limits. Only the pause between two SMS is set, because the test would wait.
fn login<'b>(lab: &'b Lab, case: &'static str) -> Login<'b> {
    let keys = shown();
    assert!(keys.contains("twilio.from_number"), "{keys:?}");
    let is_other = |key: &String| !key.starts_with("twilio.") && !key.starts_with("ldap.");
    assert!(!keys.iter().any(is_other), "{keys:?}");
    let login = Login::new(lab, case).of(&someone(lab, case));
    let ledger = login.folder.join("ledger").display().to_string();
    login
        .text("ledger.path", &ledger)
        .change(|settings| settings.without("limits.sms"))
}

fn the_sixth_sms_is_refused(lab: &Lab) {
    let login = login(lab, "smallest-sms");
    for _ in 0..5 {
        let (_, seen) = login.run(&[Say::Password], 2);
        assert_eq!(seen.sms(), 1, "{seen:?}");
    }
    let (_, seen) = login.run(&[Say::Password], 1);
    assert_eq!(seen.sms(), 0, "{seen:?}");
    assert_eq!(seen.codes(), [code::MAXTRIES]);
    assert_eq!(seen.log(), ["denied first=password reason=limited"]);
    let line = login.newest_line();
    assert!(line.contains("5/15m"), "{line}");
}

fn the_tenth_wrong_code_locks(lab: &Lab) {
    let login = login(lab, "smallest-codes");
    let wrong = [
        Say::Password,
        Say::WrongCode,
        Say::WrongCode,
        Say::WrongCode,
    ];
    for _ in 0..3 {
        let (_, seen) = login.run(&wrong, 2);
        assert_eq!(seen.log()[1], "denied first=password reason=wrong-code");
    }
    let locked = "denied first=password reason=locked";
    let (_, seen) = login.run(&wrong, 2);
    assert_eq!(seen.log()[1], locked, "{seen:?}");
    let (_, seen) = login.run(&[Say::Password], 1);
    assert_eq!((seen.sms(), seen.log()), (0, &[locked.to_owned()][..]));
    let last = seen.screen().last().expect("a text");
    assert!(last.starts_with(LATER), "{last}");
}
