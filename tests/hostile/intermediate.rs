//! The intermediate process between host and helper: it inherits nothing, and whatever is done to it or to the
//! helper, the hook returns in time and both processes end.

use crate::Case;
use crate::module::login::{ASKS, Login, SENT, Say, Seen, Someone};
use crate::module::{PASSWORD, someone};
use lab::Lab;
use lab::machine::User;
use lab::pamhost::{Answer, Message, Style, code};
use lab::processes::{parent, state};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, read_to_string};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    ("hostile::intermediate::holds_nothing", holds_nothing),
    (
        "hostile::intermediate::the_hook_returns_whatever_is_done_to_it",
        the_hook_returns_whatever_is_done_to_it,
    ),
    (
        "hostile::intermediate::a_frozen_helper_is_killed",
        a_frozen_helper_is_killed,
    ),
    (
        "hostile::intermediate::both_end_with_the_host",
        both_end_with_the_host,
    ),
];

const SENT_ONLY: &str = "sent";
const LOST: &str = "failed user=? stage=helper reason=helper";

/// The helper and its parent.
#[derive(Clone, Copy)]
struct Both {
    helper: u32,
    intermediate: u32,
}

impl Both {
    /// While a prompt is shown.
    fn of(login: &Login) -> Self {
        let [helper] = login.helpers()[..] else {
            panic!("no helper, or several, at the prompt");
        };
        let helper = helper.as_raw_nonzero().get().unsigned_abs();
        let intermediate = parent(helper).expect("its parent");
        Self {
            helper,
            intermediate,
        }
    }

    /// Whether both have ended, reaped or not.
    fn are_gone(self) -> bool {
        let gone = |pid| matches!(state(pid), None | Some('Z' | 'X'));
        gone(self.helper) && gone(self.intermediate)
    }

    /// Waits until both have ended, which must be before `until`.
    fn go_before(self, until: Instant, what: &str) {
        while !self.are_gone() {
            assert!(Instant::now() < until, "{what}: still there");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn send(signal: Signal, pid: u32) {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(number.expect("a pid"), signal).expect("it is there");
    let until = Instant::now() + Duration::from_secs(10);
    let has_come = || match (signal, state(pid)) {
        (Signal::STOP, state) => state == Some('T'),
        (Signal::KILL, state) => matches!(state, None | Some('Z' | 'X')),
        _ => true,
    };
    // A process on another CPU handles the signal when it runs next.
    while !has_come() {
        assert!(Instant::now() < until, "{signal:?} has no effect");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Types the password, calls `act` at the code prompt, and types the right code.
fn at_the_code_prompt(
    login: &Login,
    mut act: impl FnMut(Both) -> Option<Answer>,
) -> (Seen, Duration) {
    let lines = 2;
    let mut both = None;
    let answer = |message: &Message| {
        if message.style == Style::Hidden {
            return PASSWORD.into();
        }
        let code = login.arrived().last().expect("an SMS").code();
        both = Some(Both::of(login));
        act(both.expect("just set")).unwrap_or_else(|| code.into())
    };
    let (transcript, seen) = login.run_with(lines, answer);
    let both = both.expect("a code prompt");
    // If the parent had to be killed, the kernel kills the helper at the same time.
    both.go_before(Instant::now() + Duration::from_secs(1), "after the hook");
    let took = transcript.results.last().map(|result| result.1);
    (seen, took.unwrap_or_default())
}

/// It inherits only the user of the host: no descriptor, no ids of the caller, no terminal. No signal has an effect
/// on it, and no other user can read its memory, which is a copy of that of the host.
fn holds_nothing(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // Only root can inspect it.
    }
    let account = lab.machine().add(&User::new("between-caller"));
    let ida = someone(lab, "between-ida");
    let root = Login::new(lab, "between")
        .of(&ida)
        .own_helper()
        .host(|host| host.setuid_for(&account));
    let (seen, _) = at_the_code_prompt(&root, |both| {
        looks_empty(both.intermediate, 0);
        None
    });
    assert_eq!(seen, Seen::granted());

    // That of an ordinary user, who may signal it.
    let own = lab.folder("between-ledger");
    std::os::unix::fs::chown(&own, Some(account.uid), None).expect("root may chown");
    let own = own.join("ledger");
    let ordinary = Login::new(lab, "between-own")
        .of(&ida)
        .text("ledger.path", own.to_str().expect("a path"))
        .owner(account.uid)
        .tag("host")
        .host(|host| host.run_as(lab.machine(), &account))
        .own_helper();
    let (seen, _) = at_the_code_prompt(&ordinary, |both| {
        looks_empty(both.intermediate, account.uid);
        // It blocks all of these: the login continues.
        for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::CHILD] {
            send(signal, both.intermediate);
        }
        None
    });
    assert_eq!(seen, Seen::granted());
}

fn looks_empty(intermediate: u32, uid: u32) {
    let proc = PathBuf::from(format!("/proc/{intermediate}"));
    let open = fs::read_dir(proc.join("fd"))
        .expect("root may look")
        .count();
    assert_eq!(open, 0, "descriptors");
    let status = read_to_string(proc.join("status")).expect("it is there");
    let ids = format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n");
    // All but SIGKILL, SIGSTOP and the three that it waits for.
    for line in [
        &*ids,
        "SigBlk:\tfffffffffffaf4ff\n",
        "Name:\tsms-otp-parent\n",
    ] {
        assert!(status.contains(line), "{line}: {status}");
    }
    if uid == 0 {
        assert!(status.contains("Groups:\t \n"), "{status}");
    }
    let stat = read_to_string(proc.join("stat")).expect("it is there");
    let (_, rest) = stat.rsplit_once(") ").expect("a state");
    let ids: Vec<&str> = rest.split(' ').skip(2).take(3).collect();
    let own = intermediate.to_string();
    assert_eq!(ids, [&*own, &*own, "0"], "group, session, terminal");
    let owner = fs::metadata(proc.join("environ")).expect("it is there");
    assert_eq!(owner.uid(), 0, "its memory can be read by its user");
}

/// An action at the code prompt, and the result of the login.
type Row<'w> = (&'static str, fn(Both), i32, &'w [&'w str], &'static str);

fn the_hook_returns_whatever_is_done_to_it(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // They belong to another user then.
    }
    let jan = someone(lab, "ends-jan");
    let killed = "the helper ended without a verdict, signal 9";
    let late = "the helper timed out and was killed";
    let rows: [Row; 6] = [
        (
            "the intermediate process stopped",
            |both| send(Signal::STOP, both.intermediate),
            code::SUCCESS,
            &[SENT_ONLY, "granted"],
            "",
        ),
        (
            "the intermediate process killed",
            |both| send(Signal::KILL, both.intermediate),
            code::SERVICE_ERR,
            &[SENT_ONLY, LOST],
            killed,
        ),
        (
            "the helper killed",
            |both| send(Signal::KILL, both.helper),
            code::SERVICE_ERR,
            &[SENT_ONLY, LOST],
            killed,
        ),
        (
            "the helper stopped",
            |both| send(Signal::STOP, both.helper),
            code::SERVICE_ERR,
            &[SENT_ONLY, LOST],
            late,
        ),
        (
            "both stopped",
            |both| {
                send(Signal::STOP, both.intermediate);
                send(Signal::STOP, both.helper);
            },
            code::SERVICE_ERR,
            &[SENT_ONLY, LOST],
            late,
        ),
        (
            "the helper stopped, the intermediate process killed",
            |both| {
                send(Signal::STOP, both.helper);
                send(Signal::KILL, both.intermediate);
            },
            code::SERVICE_ERR,
            &[SENT_ONLY, LOST],
            killed,
        ),
    ];
    for (what, act, ends, log, detail) in rows {
        let login = quick(lab, "ends", &jan);
        let (seen, took) = at_the_code_prompt(&login, |both| {
            act(both);
            None
        });
        assert_eq!(seen, Seen::new(&[ends], &[ASKS, SENT], log, 1), "{what}");
        assert!(took < Duration::from_secs(20), "{what}: {took:?}");
        if !detail.is_empty() {
            assert_eq!(login.newest_field("detail"), detail, "{what}");
        }
    }
    let login = quick(lab, "ends", &jan);
    login.sees("afterwards", &[Say::Password, Say::Code], &Seen::granted());
}

/// A login with short time limits.
fn quick<'b>(lab: &'b Lab, case: &'static str, who: &Someone) -> Login<'b> {
    Login::new(lab, case)
        .of(who)
        .text("deadline", "3s")
        .text("password.refuse_after", "0s")
        .set("limits.sms", "[\"1000/1s\"]")
        .own_helper()
}

/// Creates a control group in a file system of this kind, if there is a writable one.
fn group(kind: &str) -> Option<PathBuf> {
    let mounts = read_to_string("/proc/mounts").ok()?;
    let found = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (folder, its_kind, options) = (words.next()?, words.next()?, words.next()?);
        let is_it = its_kind == kind || its_kind == "cgroup" && options.ends_with(kind);
        is_it.then(|| PathBuf::from(folder))
    })?;
    let group = found.join(format!("lab-{}", std::process::id()));
    let _ = fs::remove_dir(&group);
    fs::create_dir(&group).ok().map(|()| group)
}

fn put(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// With the freezer of both cgroup versions. In version 1 not even SIGKILL ends a frozen process: it ends when it
/// is thawed.
fn a_frozen_helper_is_killed(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let kim = someone(lab, "frozen-kim");
    for (kind, file, freeze, thaw) in [
        ("cgroup2", "cgroup.freeze", "1", "0"),
        ("freezer", "freezer.state", "FROZEN", "THAWED"),
    ] {
        let Some(group) = group(kind) else {
            eprintln!("skipped: {kind} cannot be written here");
            continue;
        };
        let login = quick(lab, "frozen", &kim);
        let mut both = None;
        let answer = |message: &Message| {
            if message.style == Style::Hidden {
                return PASSWORD.into();
            }
            let found = Both::of(&login);
            both = Some(found);
            put(&group.join("cgroup.procs"), &found.helper.to_string());
            put(&group.join(file), freeze);
            login.arrived().last().expect("an SMS").code().into()
        };
        let (transcript, seen) = login.run_with(2, answer);
        put(&group.join(file), thaw);
        let both = both.expect("a code prompt");
        both.go_before(Instant::now() + Duration::from_secs(2), kind);
        let want = Seen::new(&[code::SERVICE_ERR], &[ASKS, SENT], &[SENT_ONLY, LOST], 1);
        assert_eq!(seen, want, "{kind}");
        assert!(transcript.results[0].1 < Duration::from_secs(20), "{kind}");
        let until = Instant::now() + Duration::from_secs(5);
        while fs::remove_dir(&group).is_err() {
            assert!(Instant::now() < until, "{kind}: the group is not empty");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn both_end_with_the_host(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let leo = someone(lab, "host-leo");
    for stopped in [false, true] {
        let login = quick(lab, "host-end", &leo);
        let mut asked = None;
        let answer = |message: &Message| {
            if message.style == Style::Hidden {
                return PASSWORD.into();
            }
            let both = Both::of(&login);
            if stopped {
                send(Signal::STOP, both.helper);
            }
            asked = Some((both, Instant::now()));
            Answer::KillHost
        };
        login.set_up();
        login.watched(answer, |_, _| {});
        let (both, since) = asked.expect("a code prompt");
        // A second, with time for a loaded machine.
        both.go_before(since + Duration::from_secs(2), "the host was killed");
    }
}
