//! Calls of which it is known what becomes of a login without them.

use super::{End, Hand};
use crate::module::login::known;
use lab::bench::Bench;
use lab::pamhost::code;
use lab::tracer::{Call, Fault};
use libc::{EINVAL, EIO, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM};
use std::cell::Cell;
use std::path::Path;
use std::process::Command;

/// A login in which nothing fails, and a hand for those in which something does.
fn with_calls(bench: &Bench, case: &'static str, then: impl FnOnce(&Hand, &[Call])) {
    if !lab::tracer::is_supported() {
        println!("SKIPPED: no tracer for this processor");
        return;
    }
    let who = known(bench, case).expect("a machine of ours");
    let hand = Hand::new(bench, case, &who);
    let (calls, end) = hand.run(None, true);
    assert_eq!(end.code, code::SUCCESS, "{:?}", end.log);
    then(&hand, &calls);
}

/// Each of a login's calls of this name, failing with this error.
fn each(hand: &Hand, calls: &[Call], name: &str, errno: i32, check: impl Fn(&Call, &End)) {
    let named = calls.iter().filter(|call| call.name() == name);
    let mut some = false;
    for call in named {
        let place = call.place;
        let (hit, end) = hand.run(Some(Fault { place, errno }), true);
        if !hit.is_empty() {
            some = true;
            check(call, &end);
        }
    }
    assert!(some, "no login makes {name}");
}

/// What CVE-2010-3316 was about.
pub fn no_helper_without_its_ids(bench: &Bench) {
    with_calls(bench, "ids", |hand, calls| {
        for name in ["setgroups", "setresgid", "setresuid"] {
            let (first, second) = (Cell::new(false), Cell::new(false));
            each(hand, calls, name, EPERM, |call, end| {
                let line = ["failed user=? stage=helper reason=local"];
                // Those of the walls come later, and the name is known by then.
                let later = ["failed stage=helper reason=local"];
                let said = end.log == line || end.log == later;
                first.set(first.get() || call.place.task == 1);
                second.set(second.get() || call.place.task == 2);
                assert!(
                    said && end.code == code::SERVICE_ERR,
                    "{call}: {:?}",
                    end.log
                );
                assert_eq!((end.sms, end.typed), (0, false), "{call}");
            });
            assert!(
                first.get(),
                "{name}: the intermediate process takes the host's ids"
            );
            assert!(second.get(), "{name}: the helper takes its own user's");
        }
    });
}

/// What CVE-2020-27743 was about.
pub fn no_code_without_randomness(bench: &Bench) {
    with_calls(bench, "randomness", |hand, calls| {
        let drawn = Cell::new(false);
        each(hand, calls, "getrandom", EIO, |call, end| {
            let is_code = end
                .log
                .iter()
                .any(|line| line.contains("stage=code reason=local"));
            drawn.set(drawn.get() || is_code);
            assert!(!is_code || end.sms == 0, "{call}: {:?}", end.log);
            let harmless = end.code == code::SUCCESS && end.sms == 1;
            assert!(
                harmless || end.code == code::SERVICE_ERR,
                "{call}: {:?}",
                end.log
            );
        });
        // Since glibc 2.41 and Linux 6.11 no call is made for it (vdso(7)), so none can fail.
        if !drawn.get() && glibc() >= (2, 41) {
            eprintln!("NOT TRIED: here the code is drawn without a system call");
            return;
        }
        assert!(drawn.get(), "the code is drawn by one of them");
    });
}

/// A kernel without a wall is one thing, and said; a wall that fails is another.
pub fn no_login_behind_half_a_wall(bench: &Bench) {
    with_calls(bench, "half-a-wall", |hand, calls| {
        let walls = [
            "landlock_create_ruleset",
            "landlock_add_rule",
            "landlock_restrict_self",
            "seccomp",
        ];
        for name in walls {
            for errno in [EINVAL, ENOMEM] {
                each(hand, calls, name, errno, |call, end| {
                    assert_eq!(
                        end.code,
                        code::SERVICE_ERR,
                        "{call}, {errno}: {:?}",
                        end.log
                    );
                    assert!(!end.typed, "{call}, {errno}");
                });
            }
            for errno in [ENOSYS, EOPNOTSUPP] {
                each(hand, calls, name, errno, |call, end| {
                    // Once for each start of a machine: this mark remembers it.
                    let wall = name.split('_').next().unwrap_or_default();
                    let said = Path::new(&format!("/run/pam_sms_otp.no-{wall}")).exists();
                    let degraded = end.code == code::SUCCESS && said;
                    let refused = end.code == code::SERVICE_ERR && !end.typed;
                    assert!(degraded || refused, "{call}, {errno}: {:?}", end.log);
                });
            }
        }
    });
}

/// Its version. Other libraries have none.
fn glibc() -> (u32, u32) {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = said.ok().and_then(|said| {
        let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    version.unwrap_or_default()
}
