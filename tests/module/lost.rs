//! Log lines that the system log does not accept: an alarm is not lost without a trace.

use super::ledger::{folder, with_ledger};
use super::login::{Login, PASSWORD, Say, Someone, someone};
use crate::Case;
use lab::Lab;
use lab::helper_process::{HelperProcess, request};
use lab::pamhost::code;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "module::lost::where_new_numbers_wait",
        where_new_numbers_wait,
    ),
    (
        "module::lost::where_new_numbers_do_not_wait",
        where_new_numbers_do_not_wait,
    ),
    (
        "module::lost::an_alarm_waits_for_space",
        an_alarm_waits_for_space,
    ),
    (
        "module::lost::no_wait_beyond_the_deadline",
        no_wait_beyond_the_deadline,
    ),
    (
        "module::lost::no_wait_after_the_host_has_ended",
        no_wait_after_the_host_has_ended,
    ),
    (
        "module::lost::many_lines_cost_one_wait",
        many_lines_cost_one_wait,
    ),
];

const PASSWORD_AND_CODE: &[Say] = &[Say::Password, Say::Code];
const PASSWORD_ONLY: &[Say] = &[Say::Password];
const NEW_PHONE: &str = "denied first=password reason=new-phone";

/// What a login finds at `/dev/log`.
enum Log<'a> {
    /// The system log.
    Present,
    /// A file that is not a socket.
    Absent,
    /// The socket with this path.
    At(&'a Path),
}

/// Logs in with this log, and returns the number of lost lines that each line reports (`lost=`).
fn lost(login: Login<'_>, log: &Log<'_>, answers: &[Say], lines: &[&str]) -> Vec<u32> {
    let case = login.case;
    let login = match log {
        Log::Present => login,
        Log::Absent => {
            login.host(|host| host.with_bind_mounts(&[(Path::new("/dev/null"), "/dev/log")]))
        }
        Log::At(path) => login.host(|host| host.with_bind_mounts(&[(path, "/dev/log")])),
    };
    let (_, seen) = login.run(answers, lines.len());
    assert_eq!(seen.log(), lines, "{case}");
    let lines = login.newest_lines(lines.len());
    let field = |line: &lab::log::Line| line.field("lost").map(|lost| lost.parse().ok());
    let lost = lines
        .iter()
        .map(|line| field(line).map_or(0, |lost| lost.expect("a number")));
    lost.collect()
}

fn set_new_number(lab: &Lab, who: &mut Someone) {
    who.number = lab.number();
    lab.slapd().replace(&who.person, "mobile", &[&who.number]);
}

/// The wait of a new number does not begin before its log line was accepted.
fn where_new_numbers_wait(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let mut who = someone(lab, "lost-waits");
    let login = |who: &Someone| with_ledger(lab, "lost-waits", who).text("policy.new_phone", "2s");
    let granted = &["sent", "granted"];
    assert_eq!(
        lost(login(&who), &Log::Present, PASSWORD_AND_CODE, granted),
        [0, 0]
    );
    set_new_number(lab, &mut who);
    for _ in 0..2 {
        lost(login(&who), &Log::Absent, PASSWORD_ONLY, &[]);
        std::thread::sleep(Duration::from_secs(2));
    }
    // Each login has lost two lines.
    let lines = &["phone-changed", NEW_PHONE];
    assert_eq!(
        lost(login(&who), &Log::Present, PASSWORD_ONLY, lines),
        [4, 0]
    );
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(
        lost(login(&who), &Log::Present, PASSWORD_AND_CODE, granted),
        [0, 0]
    );
}

/// The login is granted, and the number is announced by the next login whose line is accepted.
fn where_new_numbers_do_not_wait(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let mut who = someone(lab, "lost-allowed");
    let login = |who: &Someone| with_ledger(lab, "lost-allowed", who);
    let granted = &["sent", "granted"];
    lost(login(&who), &Log::Present, PASSWORD_AND_CODE, granted);
    set_new_number(lab, &mut who);
    let unread = full(&folder(&login(&who)).with_file_name("unread"));
    lost(login(&who), &Log::At(&unread.0), PASSWORD_AND_CODE, &[]);
    lost(login(&who), &Log::Absent, PASSWORD_AND_CODE, &[]);
    let lines = &["phone-changed", "sent", "granted"];
    assert_eq!(
        lost(login(&who), &Log::Present, PASSWORD_AND_CODE, lines),
        [6, 0, 0]
    );
    assert_eq!(
        lost(login(&who), &Log::Present, PASSWORD_AND_CODE, granted),
        [0, 0]
    );
}

/// Creates a log socket whose buffer is full until it is read.
fn full(path: &Path) -> (PathBuf, UnixDatagram) {
    let socket = UnixDatagram::bind(path).expect("a socket");
    let filler = UnixDatagram::unbound().expect("a socket");
    filler.set_nonblocking(true).expect("not blocking");
    while filler.send_to(b"<86>full", path).is_ok() {}
    (path.to_owned(), socket)
}

/// Returns all lines that arrive within this time.
fn read(socket: &UnixDatagram, time: Duration) -> Vec<String> {
    let until = Instant::now() + time;
    let mut buffer = [0; 4096];
    let mut lines = Vec::new();
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        let left = left.max(Duration::from_millis(1));
        socket.set_read_timeout(Some(left)).expect("a time");
        if let Ok(length) = socket.recv(&mut buffer) {
            lines.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
    }
    lines
}

/// The line about a wrong code after the right password is written once a full log is read.
fn an_alarm_waits_for_space(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let who = someone(lab, "lost-alarm");
    let login = with_ledger(lab, "lost-alarm", &who).set("code.tries", "1");
    let (path, socket) = full(&folder(&login).with_file_name("unread"));
    let login = login.host(|host| host.with_bind_mounts(&[(&path, "/dev/log")]));
    let reader = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(3));
        read(&socket, Duration::from_secs(5))
    });
    let began = Instant::now();
    let (_, seen) = login.run(&[Say::Password, Say::WrongCode], 0);
    assert_eq!(seen.codes(), [code::MAXTRIES]);
    assert!(
        began.elapsed() > Duration::from_secs(2),
        "the login did not wait"
    );
    let lines = reader.join().expect("the reader");
    let own: Vec<&String> = lines
        .iter()
        .filter(|line| !line.ends_with(">full"))
        .collect();
    let [line] = &own[..] else {
        panic!("{lines:#?}");
    };
    assert!(line.contains("first=password reason=wrong-code"), "{line}");
    // The line `sent` was lost.
    assert!(line.ends_with(" lost=1"), "{line}");
}

/// If the full log is never read, the user waits no longer than the deadline.
fn no_wait_beyond_the_deadline(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let who = someone(lab, "lost-late");
    lab.slapd()
        .replace(&who.person, "phoneNumberVerified", &["FALSE"]);
    for (deadline, min, max) in [("2m", 5, 8), ("2s", 0, 4)] {
        let login = with_ledger(lab, "lost-late", &who).text("deadline", deadline);
        let path = folder(&login).with_file_name(format!("unread-{deadline}"));
        let (path, _socket) = full(&path);
        let login = login.host(|host| host.with_bind_mounts(&[(&path, "/dev/log")]));
        let began = Instant::now();
        let (_, seen) = login.run(PASSWORD_ONLY, 0);
        assert_ne!(seen.codes(), [code::SUCCESS]);
        let took = began.elapsed().as_secs();
        assert!((min..max).contains(&took), "{deadline}: {took} s");
    }
}

/// With a log that stays full, a login waits for one line only: a wait for each line would use up the
/// deadline before an SMS is sent, and end as an outage.
fn many_lines_cost_one_wait(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let case = "lost-many";
    let mut who = someone(lab, case);
    let login = |who: &Someone| with_ledger(lab, case, who).text("deadline", "2s");
    lost(
        login(&who),
        &Log::Present,
        PASSWORD_AND_CODE,
        &["sent", "granted"],
    );
    let mut numbers: Vec<String> = (0..6).map(|_| lab.number()).collect();
    numbers.sort();
    let values: Vec<&str> = numbers.iter().map(String::as_str).collect();
    lab.slapd().replace(&who.person, "mobile", &values);
    who.number.clone_from(&numbers[0]);
    let (path, _socket) = full(&folder(&login(&who)).with_file_name("unread-many"));
    let login = login(&who).host(|host| host.with_bind_mounts(&[(&path, "/dev/log")]));
    let (_, seen) = login.run(PASSWORD_AND_CODE, 0);
    assert_eq!(seen.codes(), [code::SUCCESS]);
}

/// If the module disconnects while the helper waits for the log, the helper exits.
fn no_wait_after_the_host_has_ended(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let case = "lost-host";
    let who = someone(lab, case);
    lab.slapd()
        .replace(&who.person, "phoneNumberVerified", &["FALSE"]);
    let login = with_ledger(lab, case, &who);
    login.set_up();
    let (path, _socket) = full(&folder(&login).with_file_name("unread"));
    let helper = lab.product().helper();
    let mount = format!(
        "mount --bind {} /dev/log && exec {}",
        path.display(),
        helper.display()
    );
    let mut helper =
        HelperProcess::start_with(Path::new("/usr/bin/unshare"), Vec::new(), |command| {
            command.args(["--mount", "--propagation=unchanged", "sh", "-c", &mount]);
        });
    helper.send(&request(&login.config(), case, case).encode());
    assert_eq!(helper.prompt(), "Password: ");
    helper.answer(PASSWORD);
    helper.wait_until_read();
    // Time until the helper waits for space in the log.
    std::thread::sleep(Duration::from_secs(2));
    assert!(
        helper.exit_within(Duration::ZERO).is_none(),
        "the helper does not wait"
    );
    helper.disconnect();
    let exit = helper.exit_within(Duration::from_secs(1));
    assert!(exit.is_some(), "the helper is still running");
}
