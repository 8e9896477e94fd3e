//! The host is killed while its helper waits, at each stage with a wait.

use super::directory;
use super::ground::Ground;
use super::{Row, Worker, carrier, ledger};
use crate::hostile::torture;
use crate::module::Login;
use lab::Lab;
use lab::fault_proxy::Fault;
use lab::processes;
use rustix::process::{Pid, Signal, kill_process};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A helper detects at once that its host has ended; this bound is for a busy machine.
const MOMENT: Duration = Duration::from_secs(3);

pub fn a_host_that_is_killed_at_any_stage_leaves_no_process(lab: &Lab) {
    let ground = Ground::new(lab);
    let silent = format!("{:?}", Fault::Silent);
    let by_deadline = format!("{silent}, by deadline");
    let rows: Vec<Row> = [
        directory::rows(&ground),
        ledger::rows(&ground),
        carrier::rows(&ground),
    ]
    .into_iter()
    .flatten()
    .filter(|row| {
        row.fault == by_deadline || row.fault == silent || row.fault == "black hole ldaps"
    })
    .collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..4 {
            let (rows, next) = (&rows, &next);
            scope.spawn(move || {
                let worker = Worker::new(lab, 100 + number);
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::SeqCst)) {
                    for is_known in [false, true] {
                        if is_known && !torture() {
                            continue;
                        }
                        worker.kills(lab, row, is_known);
                    }
                }
            });
        }
    });
}

impl Worker {
    fn kills<'b>(&self, lab: &'b Lab, row: &Row<'b>, is_known: bool) {
        let who = self
            .known
            .as_ref()
            .filter(|_| is_known)
            .unwrap_or(&self.strange);
        let spoilt = (row.spoil)(Login::new(lab, self.case).of(who).own_helper());
        let what = format!("{}: {}", row.stage, row.fault);
        // No timeout may end it first.
        let mut login = spoilt.login;
        for key in ["ldap.timeout", "twilio.timeout"] {
            login = login.text(key, "60s");
        }
        if row.stage.starts_with("ledger") {
            login = login.text("ledger.timeout", "60s");
        }
        let login = login.text("deadline", "60s");
        let middle = spoilt.middle;
        let transcript = thread::scope(|scope| {
            scope.spawn(|| {
                if let Some(middle) = &middle {
                    assert!(middle.wait(Duration::from_secs(20)), "{what}");
                } else {
                    // A server that drops packets cannot report that it received one.
                    let until = Instant::now() + Duration::from_secs(20);
                    while login.helpers().is_empty() && Instant::now() < until {
                        thread::sleep(Duration::from_millis(5));
                    }
                    thread::sleep(Duration::from_millis(500));
                }
                kill_host(&login, &what);
            });
            login.run(&row.says, 0).0
        });
        assert_eq!(transcript.killed_by, Some(9), "{what}");
        let until = Instant::now() + MOMENT;
        while !login.helpers().is_empty() {
            assert!(Instant::now() < until, "{what}: the helper is still there");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Kills the host: the parent of the helper's parent.
fn kill_host(login: &Login, what: &str) {
    let helpers = login.helpers();
    let [helper] = helpers[..] else {
        panic!("{what}: {helpers:?}");
    };
    let helper = helper.as_raw_nonzero().get().unsigned_abs();
    let host = processes::parent(helper).and_then(processes::parent);
    let host = host.and_then(|host| Pid::from_raw(i32::try_from(host).ok()?));
    let host = host.expect("a parent's parent");
    kill_process(host, Signal::KILL).expect("the host is there");
}
