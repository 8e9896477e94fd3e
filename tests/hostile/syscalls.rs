//! Each system call of a login fails once, in the hook and in its helper: no failure grants access, kills the
//! host or makes it wait without a limit, and no local failure is reported as an outage.

mod named;
mod sample;

use crate::Case;
use crate::module::login::{Login, PASSWORD, Someone, known};
use lab::Lab;
use lab::pamhost::{Answer, At, Message, Step, code};
use lab::tracer::{Call, Fault, Tracer};
use lab::twilio::wrong_code;
use sample::Sample;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "hostile::syscalls::each_one_fails_once",
        each_one_fails_once,
    ),
    (
        "hostile::syscalls::no_helper_without_its_ids",
        named::no_helper_without_its_ids,
    ),
    (
        "hostile::syscalls::no_code_without_randomness",
        named::no_code_without_randomness,
    ),
    (
        "hostile::syscalls::no_login_in_an_incomplete_sandbox",
        named::no_login_in_an_incomplete_sandbox,
    ),
];

/// The number of parallel logins.
const FIXTURES: [&str; 3] = ["calls-1", "calls-2", "calls-3"];

/// The maximum duration of a login by its settings, with time for a loaded machine.
const LONG: Duration = Duration::from_secs(100);

/// One attempt: what fails, and whether the right code is typed.
#[derive(Clone, Copy, Debug)]
struct Try {
    fault: Fault,
    right: bool,
}

/// The visible result of an attempt.
struct End {
    code: i32,
    took: Duration,
    sms: usize,
    posts: usize,
    /// Whether a code was prompted for and typed.
    typed: bool,
    log: Vec<String>,
}

/// A user with a service of their own, so that several logins can run in parallel.
struct Fixture<'b> {
    login: Login<'b>,
    runs: Cell<u32>,
}

fn each_one_fails_once(lab: &Lab) {
    if !lab::tracer::is_supported() {
        println!("SKIPPED: no tracer for this processor");
        return;
    }
    let users: Vec<_> = FIXTURES
        .iter()
        .map(|name| known(lab, name).expect("a private machine"))
        .collect();
    let fixtures = FIXTURES.iter().zip(&users);
    let fixtures: Vec<Fixture> = fixtures
        .map(|(case, who)| Fixture::new(lab, case, who))
        .collect();
    let (calls, end) = fixtures[0].run(None, true);
    assert_eq!((end.code, end.sms), (code::SUCCESS, 1), "{:?}", end.log);
    let mut sample = Sample::begin();
    let tries = sample.of(&tries(&calls));
    let all = tries.len();
    let (hits, none) = (AtomicU32::new(0), AtomicU32::new(0));
    let (left, wrong) = (Mutex::new(tries.into_iter()), Mutex::new(Vec::new()));
    let next = || left.lock().expect("the tries").next();
    std::thread::scope(|scope| {
        for fixture in fixtures {
            let (next, wrong, calls, sample) = (&next, &wrong, &calls, &sample);
            let (hits, none) = (&hits, &none);
            scope.spawn(move || {
                while let Some(one) = next().filter(|_| !sample.is_over()) {
                    match fixture.try_once(one, calls) {
                        Ok(true) => hits,
                        Ok(false) => none,
                        Err(why) => {
                            wrong.lock().expect("what is wrong").push(why);
                            hits
                        }
                    }
                    .fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let (hits, none) = (hits.into_inner(), none.into_inner());
    println!(
        "{} calls, {all} tries; {hits} made, {none} came to no such call; {sample}",
        calls.len()
    );
    assert!(
        hits > none && hits >= 10,
        "{sample}: only {hits} calls were made to fail"
    );
    let wrong = wrong.into_inner().expect("what is wrong");
    assert!(wrong.is_empty(), "{sample}:\n{}", wrong.join("\n"));
}

/// All attempts: each call with each of its errors, with the right code and with a wrong one.
fn tries(calls: &[Call]) -> Vec<Try> {
    let with_errors = calls.iter().flat_map(|call| {
        let errors = lab::tracer::calls::errors(call.place.number).iter();
        errors.map(|errno| Fault {
            place: call.place,
            errno: *errno,
        })
    });
    with_errors
        .flat_map(|fault| [true, false].map(|right| Try { fault, right }))
        .collect()
}

impl<'b> Fixture<'b> {
    fn new(lab: &'b Lab, case: &'static str, who: &Someone) -> Self {
        let login = Login::new(lab, case)
            .of(who)
            .set("code.tries", "1")
            // The first step loads the module: its calls are made by libpam.
            .host(|host| host.steps(&[Step::Credentials, Step::Authenticate]))
            .host(|host| host.with_property("marked").without_copies().no_delay());
        Self {
            login,
            runs: Cell::new(0),
        }
    }

    /// Runs one login in which this call fails.
    fn run(&self, fault: Option<Fault>, right: bool) -> (Vec<Call>, End) {
        // Wrong codes must not lock the user for the next attempt.
        let run = self.runs.get();
        self.runs.set(run + 1);
        let ledger = self.login.folder.join(format!("ledger-{run}"));
        let settings = self.login.settings.clone();
        let settings = settings.text("ledger.path", &ledger.display().to_string());
        self.login.set_up_with(&settings);
        let tracer = RefCell::new(None);
        let typed = Cell::new(false);
        let (arrived, posts) = (self.login.arrived().len(), self.login.requests());
        let user = |message: &Message| self.answer(message, arrived, right, &typed);
        let watch = |at: At, pid| {
            if at == At::Start {
                tracer.replace(Some(Tracer::attach(pid, fault)));
            }
        };
        let (transcript, seen) = self.login.look(0, user, watch);
        let calls = tracer.take().expect("a tracer").report();
        let _ = std::fs::remove_dir_all(ledger);
        let (code, took) = *transcript.results.last().expect("a result");
        let end = End {
            code,
            took,
            sms: seen.sms(),
            posts: self.login.requests() - posts,
            typed: typed.get(),
            log: seen.log().to_vec(),
        };
        assert_eq!(transcript.killed_by, None, "the host was killed");
        (calls, end)
    }

    fn answer(&self, message: &Message, arrived: usize, right: bool, typed: &Cell<bool>) -> Answer {
        if message.text.starts_with("Password") {
            return PASSWORD.into();
        }
        let sms = self.login.arrived();
        let Some(sms) = sms.get(arrived..).and_then(<[_]>::last) else {
            return Answer::ConvErr;
        };
        typed.set(true);
        if right {
            sms.code().into()
        } else {
            wrong_code(&sms.code()).into()
        }
    }

    /// Makes one attempt, and returns what is wrong with the result.
    fn try_once(&self, one: Try, calls: &[Call]) -> Result<bool, String> {
        let ended = catch_unwind(AssertUnwindSafe(|| self.run(Some(one.fault), one.right)));
        let meant = calls.iter().find(|call| call.place == one.fault.place);
        let errno = std::io::Error::from_raw_os_error(one.fault.errno);
        let ended = ended.map_err(|panic| {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            format!("{} with {errno}: {why}", meant.expect("a call"))
        });
        let (hit, end) = ended?;
        // The order of the threads differs each time: this call may not have been made.
        let Some(hit) = hit.first() else {
            return Ok(false);
        };
        let of_the_log = meant.is_some_and(|call| call.to_log);
        check(&end, one.right, of_the_log)
            .map(|()| true)
            .map_err(|what| {
                let (code, took) = (end.code, end.took);
                let typed = if one.right { "right" } else { "wrong" };
                format!(
                    "{hit} with {errno}, {typed} code: {what}: {code} after {took:?}, {:?}",
                    end.log
                )
            })
    }
}

fn check(end: &End, right: bool, of_the_log: bool) -> Result<(), &'static str> {
    let allowed = if right { code::SUCCESS } else { code::MAXTRIES };
    if end.code == code::SUCCESS && !(right && end.typed && end.sms == 1) {
        return Err("let in");
    }
    if end.code != allowed && end.code != code::SERVICE_ERR {
        return Err("a local fault is PAM_SERVICE_ERR");
    }
    if end.posts > 1 {
        return Err("sent twice");
    }
    if end.took > LONG {
        return Err("it hung");
    }
    if of_the_log {
        return Ok(());
    }
    check_log(end)
}

/// Checks that one line reports the result. Earlier lines may report what the login continued without, and
/// what a helper logged that the module lost.
fn check_log(end: &End) -> Result<(), &'static str> {
    let ends = ["granted", "denied", "failed"];
    let is_an_end = |line: &&String| ends.iter().any(|word| line.starts_with(word));
    let lines: Vec<_> = end.log.iter().filter(is_an_end).collect();
    let last = lines.last().ok_or("no line in the log")?;
    let fits = match end.code {
        code::SUCCESS => last.starts_with("granted"),
        code::MAXTRIES => last.starts_with("denied"),
        _ => last.starts_with("failed"),
    };
    if !fits {
        return Err("another line in the log");
    }
    let [.., before, last] = lines.as_slice() else {
        return Ok(());
    };
    if lines.len() > 2 || !(before.starts_with("failed") || last.contains("stage=helper")) {
        return Err("too many lines in the log");
    }
    Ok(())
}
