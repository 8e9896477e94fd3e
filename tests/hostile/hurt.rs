//! The real helper is killed, stopped or replaced during a login.

use super::misbehaved::{LONG, LOST};
use super::torture;
use crate::Case;
use crate::module::{ASKS, Login, PASSWORD, SENT, Say, Seen, someone};
use lab::Lab;
use lab::fake_helper;
use lab::pamhost::code;
use rustix::process::{Pid, Signal, kill_process};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    ("hostile::hurt::killed_at_any_moment", killed_at_any_moment),
    ("hostile::hurt::stopped", stopped),
    (
        "hostile::hurt::replaced_while_it_runs",
        replaced_while_it_runs,
    ),
];

/// The real helper is killed, a little later each time: from before its start to after its verdict.
fn killed_at_any_moment(lab: &Lab) {
    let fay = someone(lab, "moment-fay");
    let login = Login::new(lab, "moment").of(&fay).own_helper();
    let whole = login.sees("whole", &[Say::Password, Say::Code], &Seen::granted());
    let many = if torture() { 400 } else { 16 };
    let step = whole.results[0].1 / many;
    let mut lost = 0;
    for moment in 0..many {
        let over = AtomicBool::new(false);
        let (transcript, seen) = thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let Some(&pid) = login.helpers().first() else {
                        continue;
                    };
                    thread::sleep(step * moment);
                    return kill(pid);
                }
            });
            let ran = login.run(&[Say::Password, Say::Code], 1);
            over.store(true, Ordering::SeqCst);
            ran
        });
        assert!(
            transcript.results[0].1 < LONG,
            "{moment}: {:?}",
            transcript.results[0].1
        );
        match seen.codes() {
            // The kill came after the verdict.
            [code::SUCCESS] => assert_eq!(seen, Seen::granted(), "{moment}"),
            [code::SERVICE_ERR] => {
                lost += 1;
                assert_eq!(
                    seen.log().last().map(String::as_str),
                    Some(LOST),
                    "{moment}"
                );
                assert!(
                    !seen.log().iter().any(|line| line == "granted"),
                    "{moment}: {seen:?}"
                );
            }
            codes => panic!("{moment}: {codes:?}"),
        }
        assert!(login.helpers().is_empty(), "{moment}");
    }
    assert!(lost > 0, "none of {many} was killed in time");
}

fn kill(pid: Pid) {
    // It may have exited already.
    let _ = kill_process(pid, Signal::KILL);
}

/// The real helper is stopped while the user types: the hook waits no longer than the deadline.
fn stopped(lab: &Lab) {
    let gil = someone(lab, "stopped-gil");
    let login = Login::new(lab, "stopped")
        .of(&gil)
        .own_helper()
        .text("deadline", "3s");
    let want = Seen::new(&[code::SERVICE_ERR], &[ASKS, SENT], &["sent", LOST], 1);
    let mut asked = 0;
    let started = Instant::now();
    let arrived = login.arrived().len();
    let (_, seen) = login.run_with(2, |_| {
        asked += 1;
        if asked == 1 {
            return PASSWORD.into();
        }
        for pid in login.helpers() {
            kill_process(pid, Signal::STOP).expect("the helper is there");
        }
        login.arrived()[arrived].code().into()
    });
    assert_eq!(seen, want);
    assert_eq!(
        login.newest_field("detail"),
        "the helper timed out and was killed"
    );
    assert!(
        started.elapsed() < Duration::from_secs(40),
        "{:?}",
        started.elapsed()
    );
    assert!(login.helpers().is_empty());
}

/// A package upgrade during a login: the running helper continues, the next login uses the new one.
fn replaced_while_it_runs(lab: &Lab) {
    let hal = someone(lab, "replaced-hal");
    let login = Login::new(lab, "replaced").of(&hal).own_helper();
    let new = login.folder.join("new");
    let mut asked = 0;
    let arrived = login.arrived().len();
    let (_, seen) = login.run_with(2, |_| {
        asked += 1;
        if asked == 1 {
            fake_helper::install(lab.machine().host_program(), &new, "");
            std::fs::rename(&new, login.helper()).expect("another helper in its place");
            fake_helper::install(
                lab.machine().host_program(),
                &new,
                "receive; verdict auth-err",
            );
            return PASSWORD.into();
        }
        login.arrived()[arrived].code().into()
    });
    assert_eq!(seen, Seen::granted());
    fake_helper::install(
        lab.machine().host_program(),
        &login.helper(),
        "receive; verdict auth-err",
    );
    login.sees(
        "the new one",
        &[],
        &Seen::new(&[code::AUTH_ERR], &[], &[], 0),
    );
    std::fs::remove_file(login.helper()).expect("no helper");
    login.sees("none", &[], &Seen::at_once(code::SERVICE_ERR, LOST));
}
