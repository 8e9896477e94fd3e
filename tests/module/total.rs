//! The total SMS count while a stopped process holds the locks of all its parts.

use super::ledger::{folder, with_ledger};
use super::{Login, Say, Seen, someone};
use crate::Case;
use lab::Lab;
use lab::pamhost::code;
use lab::process::program;
use rustix::process::{Pid, Signal, kill_process};
use sms_otp::sys;
use std::fs::File;
use std::process::{Child, Command};

pub const CASES: &[Case] = &[(
    "module::total::a_stopped_lock_holder_affects_only_logins_with_a_total_limit",
    a_stopped_lock_holder_affects_only_logins_with_a_total_limit,
)];

const PASSWORD_AND_CODE: &[Say] = &[Say::Password, Say::Code];

/// A stopped process that holds the locks of all parts of the total.
struct StoppedLockHolder(Child);

impl StoppedLockHolder {
    fn start(login: &Login) -> Self {
        // The lock belongs to the open file description, which only this child inherits.
        let ledger = folder(login).join("ledger");
        let mut options = File::options();
        let file = options
            .read(true)
            .write(true)
            .open(ledger)
            .expect("the ledger");
        assert!(sys::try_lock(&file, 4096, 32 * 512).expect("a lock"));
        let mut sleep = Command::new(program("sleep"));
        let child = sleep.arg("600").stdin(file).spawn();
        let child = child.expect("sleep");
        kill_process(pid(&child), Signal::STOP).expect("a stopped process");
        Self(child)
    }
}

impl Drop for StoppedLockHolder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn a_stopped_lock_holder_affects_only_logins_with_a_total_limit(lab: &Lab) {
    let alice = someone(lab, "total-held");
    let free = with_ledger(lab, "total-held", &alice);
    free.sees("before", PASSWORD_AND_CODE, &Seen::granted());
    let stopped = StoppedLockHolder::start(&free);
    free.sees("while it is locked", PASSWORD_AND_CODE, &Seen::granted());
    // With a total limit no SMS may be sent that is not counted.
    let limited = with_ledger(lab, "total-held", &alice).text("limits.sms_total", "500/1d");
    let (transcript, seen) = limited.run(&[Say::Password], 1);
    assert_eq!(
        (transcript.codes(), seen.sms()),
        (vec![code::SERVICE_ERR], 0)
    );
    let line = limited.newest_line();
    assert!(line.contains("stage=ledger reason=local"), "{line}");
    assert!(line.contains("is held by another process"), "{line}");
    drop(stopped);
    limited.sees(
        "after the lock was released",
        PASSWORD_AND_CODE,
        &Seen::granted(),
    );
}
