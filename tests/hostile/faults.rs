//! Every stage of a login with every fault that it can have. Each row is a login that ends with the right PAM code
//! and reason, in time, with exactly the expected SMS, and with nothing left in the host. No row is granted, except
//! for faults after the right code.

mod carrier;
mod directory;
mod ground;
mod killed;
mod ledger;
mod settings;
mod user;

use crate::Case;
use crate::hostile::torture;
use crate::module::{Login, Say, Seen, Someone, known, someone};
use ground::Ground;
use lab::Lab;
use lab::fault_proxy::{Fault, FaultProxy};
use lab::pamhost::code;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "hostile::faults::every_stage_and_every_fault",
        every_stage_and_every_fault,
    ),
    (
        "hostile::faults::a_host_that_is_killed_at_any_stage_leaves_no_process",
        killed::a_host_that_is_killed_at_any_stage_leaves_no_process,
    ),
];

/// The rows mostly wait.
const WORKERS: usize = 8;

/// The time that the stage may take by its own timeout, or else by the login's deadline.
const STEP: &str = "2500ms";
const DEADLINE: &str = "3s";

/// An upper bound for each row on a busy machine; a wait without a bound would take minutes.
const LONG: Duration = Duration::from_secs(12);

/// A login with a fault, and the proxy that causes it, if one is needed.
pub struct Spoilt<'b> {
    login: Login<'b>,
    middle: Option<FaultProxy>,
}

impl<'b> From<Login<'b>> for Spoilt<'b> {
    fn from(login: Login<'b>) -> Self {
        Self {
            login,
            middle: None,
        }
    }
}

impl Spoilt<'_> {
    /// With a short timeout, where the fault ends by one.
    pub fn within(self, key: &str, fault: &Fault) -> Self {
        if takes_time(fault) {
            self.text(key, STEP)
        } else {
            self
        }
    }

    /// A setting, as text.
    pub fn text(mut self, key: &str, value: &str) -> Self {
        self.login = self.login.text(key, value);
        self
    }
}

type Spoil<'b> = Box<dyn Fn(Login<'b>) -> Spoilt<'b> + Send + Sync + 'b>;

pub struct Row<'b> {
    stage: &'static str,
    fault: String,
    says: Vec<Say>,
    want: Seen,
    /// No name is known, because name lookups fail.
    is_nameless: bool,
    spoil: Spoil<'b>,
}

/// What a proxy on the network can do with every protocol.
pub fn transport() -> Vec<Fault> {
    vec![
        Fault::Silent,
        Fault::DropReply,
        Fault::Close,
        Fault::Reset,
        Fault::Truncate,
        Fault::Drip(Duration::from_millis(400)),
        Fault::Garbage,
    ]
}

/// Whether only a timeout can end it. Everything else must be detected at once, regardless of the server's
/// timeout.
pub fn takes_time(fault: &Fault) -> bool {
    matches!(fault, Fault::Silent | Fault::DropReply | Fault::Drip(_))
}

/// The two that represent the others.
pub fn slow() -> [Fault; 2] {
    [Fault::Silent, Fault::Drip(Duration::from_millis(400))]
}

/// The result of a login with a local failure.
pub const LOCAL: i32 = code::SERVICE_ERR;
pub const OUTAGE: i32 = code::AUTHINFO_UNAVAIL;

/// The stage after the right code.
pub const RECORD: &str = "ledger: record";

/// A worker that runs rows of the table, with its own users.
struct Worker {
    case: &'static str,
    /// One user is unknown on this machine; for the other everything is prefetched.
    strange: Someone,
    known: Option<Someone>,
}

impl Worker {
    fn new(lab: &Lab, number: usize) -> Self {
        let name = |what: &str| -> &'static str { format!("faults-{what}{number}").leak() };
        Self {
            case: name(""),
            strange: someone(lab, name("a")),
            known: known(lab, name("b")),
        }
    }

    fn run<'b>(&self, lab: &'b Lab, row: &Row<'b>, is_known: bool) {
        let who = self.known.as_ref().filter(|_| is_known);
        let Spoilt { login, middle } =
            (row.spoil)(Login::new(lab, self.case).of(who.unwrap_or(&self.strange)));
        let want = if who.is_some() && !row.is_nameless {
            row.want.of_a_known_name()
        } else {
            row.want.clone()
        };
        let asked = login.requests();
        let what = format!("{}: {}", row.stage, row.fault);
        // After the right code there is nothing left to refuse.
        let may = row.stage == RECORD;
        assert!(may || want.codes() != [code::SUCCESS], "{what}");
        let seen = catch_unwind(AssertUnwindSafe(|| login.sees(&what, &row.says, &want)));
        let seen = seen.unwrap_or_else(|_| panic!("{what}: {}", login.newest_line()));
        let (_, took) = seen.results[0];
        assert!(took < LONG, "{what}: {took:?}");
        assert!(login.requests() <= asked + 1, "{what}: asked twice");
        assert!(
            middle.is_none_or(|middle| middle.faults() > 0),
            "{what}: it never happened"
        );
    }
}

fn rows<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    [
        settings::rows(ground),
        directory::rows(ground),
        ledger::rows(ground),
        carrier::rows(ground),
        user::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn every_stage_and_every_fault(lab: &Lab) {
    let ground = Ground::new(lab);
    let rows = rows(&ground);
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..WORKERS {
            let (rows, next, failed) = (&rows, &next, &failed);
            scope.spawn(move || {
                let worker = Worker::new(lab, number);
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some(row) = rows.get(at) else { return };
                    for is_known in [false, true] {
                        if !torture() && (at % 2 == 1) != is_known {
                            continue;
                        }
                        // The others continue, so that one run reports all failures.
                        let ran = catch_unwind(AssertUnwindSafe(|| {
                            worker.run(lab, row, is_known);
                        }));
                        if ran.is_err() {
                            let what = format!("{}: {}", row.stage, row.fault);
                            failed.lock().expect("a list").push(what);
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("a list");
    assert!(
        failed.is_empty(),
        "{} of {}: {failed:#?}",
        failed.len(),
        rows.len()
    );
    assert!(rows.len() > 150, "{} rows", rows.len());
}
