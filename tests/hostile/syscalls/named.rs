//! System calls without which the result of a login is known.

use super::{End, Fixture};
use crate::module::login::known;
use lab::Lab;
use lab::pamhost::code;
use lab::tracer::{Call, Fault};
use libc::{EINVAL, EIO, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM};
use std::cell::Cell;
use std::path::Path;
use std::process::Command;

/// Makes a login without failures, and passes its calls and a fixture for failing logins to `then`.
fn with_calls(lab: &Lab, case: &'static str, then: impl FnOnce(&Fixture, &[Call])) {
    if !lab::tracer::is_supported() {
        println!("SKIPPED: no tracer for this processor");
        return;
    }
    let who = known(lab, case).expect("a private machine");
    let fixture = Fixture::new(lab, case, &who);
    let (calls, end) = fixture.run(None, true);
    assert_eq!(end.code, code::SUCCESS, "{:?}", end.log);
    then(&fixture, &calls);
}

/// Makes each call of this name fail with this error, one per login.
fn each(fixture: &Fixture, calls: &[Call], name: &str, errno: i32, check: impl Fn(&Call, &End)) {
    let named = calls.iter().filter(|call| call.name() == name);
    let mut some = false;
    for call in named {
        let place = call.place;
        let (hit, end) = fixture.run(Some(Fault { place, errno }), true);
        if !hit.is_empty() {
            some = true;
            check(call, &end);
        }
    }
    assert!(some, "no login makes {name}");
}

/// As in CVE-2010-3316.
pub fn no_helper_without_its_ids(lab: &Lab) {
    with_calls(lab, "ids", |fixture, calls| {
        for name in ["setgroups", "setresgid", "setresuid"] {
            let (first, second) = (Cell::new(false), Cell::new(false));
            each(fixture, calls, name, EPERM, |call, end| {
                let line = ["failed user=? stage=helper reason=local"];
                // The calls of the sandbox come later, when the name was looked up.
                let later = ["failed stage=helper reason=local"];
                let is_reported = end.log == line || end.log == later;
                first.set(first.get() || call.place.task == 1);
                second.set(second.get() || call.place.task == 2);
                assert!(
                    is_reported && end.code == code::SERVICE_ERR,
                    "{call}: {:?}",
                    end.log
                );
                assert_eq!((end.sms, end.typed), (0, false), "{call}");
            });
            assert!(
                first.get(),
                "{name}: the intermediate process takes the host's ids"
            );
            assert!(second.get(), "{name}: the helper changes to its own user");
        }
    });
}

/// As in CVE-2020-27743.
pub fn no_code_without_randomness(lab: &Lab) {
    with_calls(lab, "randomness", |fixture, calls| {
        let drawn = Cell::new(false);
        each(fixture, calls, "getrandom", EIO, |call, end| {
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
        // Since glibc 2.41 and Linux 6.11 random numbers need no system call (vdso(7)).
        if !drawn.get() && glibc() >= (2, 41) {
            eprintln!("skipped: the code is generated without a system call here");
            return;
        }
        assert!(drawn.get(), "one of the calls generates the code");
    });
}

/// A layer that the kernel lacks is reported; a layer that fails refuses the login.
pub fn no_login_in_an_incomplete_sandbox(lab: &Lab) {
    with_calls(lab, "incomplete-sandbox", |fixture, calls| {
        let calls_of_the_sandbox = [
            "landlock_create_ruleset",
            "landlock_add_rule",
            "landlock_restrict_self",
            "seccomp",
        ];
        for name in calls_of_the_sandbox {
            for errno in [EINVAL, ENOMEM] {
                each(fixture, calls, name, errno, |call, end| {
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
                each(fixture, calls, name, errno, |call, end| {
                    // Reported once per boot, recorded by this file.
                    let layer = name.split('_').next().unwrap_or_default();
                    let is_reported = Path::new(&format!("/run/pam_sms_otp.no-{layer}")).exists();
                    let degraded = end.code == code::SUCCESS && is_reported;
                    let refused = end.code == code::SERVICE_ERR && !end.typed;
                    assert!(degraded || refused, "{call}, {errno}: {:?}", end.log);
                });
            }
        }
    });
}

/// The version of glibc; (0, 0) for another libc.
fn glibc() -> (u32, u32) {
    let is_reported = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let is_reported =
        is_reported.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = is_reported.ok().and_then(|is_reported| {
        let (major, minor) = is_reported.trim().strip_prefix("glibc ")?.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    version.unwrap_or_default()
}
