//! Log lines that the system log does not take: an alarm is not lost silently.

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
    ("module::lost::where_numbers_wait", where_numbers_wait),
    (
        "module::lost::where_numbers_need_not_wait",
        where_numbers_need_not_wait,
    ),
    (
        "module::lost::an_alarm_waits_for_the_log",
        an_alarm_waits_for_the_log,
    ),
    (
        "module::lost::not_beyond_the_deadline",
        not_beyond_the_deadline,
    ),
    ("module::lost::not_after_its_host", not_after_its_host),
    (
        "module::lost::many_lines_wait_as_one",
        many_lines_wait_as_one,
    ),
];

const IN: &[Say] = &[Say::Password, Say::Code];
const KNOCK: &[Say] = &[Say::Password];
const NEW_PHONE: &str = "denied first=password reason=new-phone";

/// What is at `/dev/log`.
enum Log<'a> {
    There,
    /// Nothing that accepts connections.
    Away,
    At(&'a Path),
}

/// A login with this log. Returns for each line how many were lost before it.
fn lost(login: Login<'_>, log: &Log<'_>, says: &[Say], lines: &[&str]) -> Vec<u32> {
    let case = login.case;
    let login = match log {
        Log::There => login,
        Log::Away => {
            login.host(|host| host.with_bind_mounts(&[(Path::new("/dev/null"), "/dev/log")]))
        }
        Log::At(path) => login.host(|host| host.with_bind_mounts(&[(path, "/dev/log")])),
    };
    let (_, seen) = login.run(says, lines.len());
    assert_eq!(seen.log(), lines, "{case}");
    let lines = login.newest_lines(lines.len());
    let field = |line: &lab::log::Line| line.field("lost").map(|lost| lost.parse().ok());
    let lost = lines
        .iter()
        .map(|line| field(line).map_or(0, |lost| lost.expect("a number")));
    lost.collect()
}

fn moved(lab: &Lab, who: &mut Someone) {
    who.number = lab.number();
    lab.slapd().replace(&who.person, "mobile", &[&who.number]);
}

/// Without its line, the wait of a new number does not start, however much time passes.
fn where_numbers_wait(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let mut who = someone(lab, "lost-waits");
    let login = |who: &Someone| with_ledger(lab, "lost-waits", who).text("policy.new_phone", "2s");
    let granted = &["sent", "granted"];
    assert_eq!(lost(login(&who), &Log::There, IN, granted), [0, 0]);
    moved(lab, &mut who);
    for _ in 0..2 {
        lost(login(&who), &Log::Away, KNOCK, &[]);
        std::thread::sleep(Duration::from_secs(2));
    }
    // Each login has lost two lines.
    let lines = &["phone-changed", NEW_PHONE];
    assert_eq!(lost(login(&who), &Log::There, KNOCK, lines), [4, 0]);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(lost(login(&who), &Log::There, IN, granted), [0, 0]);
}

/// The login continues, and the number is announced by a later one.
fn where_numbers_need_not_wait(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let mut who = someone(lab, "lost-allowed");
    let login = |who: &Someone| with_ledger(lab, "lost-allowed", who);
    let granted = &["sent", "granted"];
    lost(login(&who), &Log::There, IN, granted);
    moved(lab, &mut who);
    let unread = full(&folder(&login(&who)).with_file_name("unread"));
    lost(login(&who), &Log::At(&unread.0), IN, &[]);
    lost(login(&who), &Log::Away, IN, &[]);
    let lines = &["phone-changed", "sent", "granted"];
    assert_eq!(lost(login(&who), &Log::There, IN, lines), [6, 0, 0]);
    assert_eq!(lost(login(&who), &Log::There, IN, granted), [0, 0]);
}

/// A log that takes no more lines until it is read.
fn full(path: &Path) -> (PathBuf, UnixDatagram) {
    let socket = UnixDatagram::bind(path).expect("a socket");
    let filler = UnixDatagram::unbound().expect("a socket");
    filler.set_nonblocking(true).expect("not blocking");
    while filler.send_to(b"<86>full", path).is_ok() {}
    (path.to_owned(), socket)
}

/// Reads all lines that arrive within this time.
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

/// A wrong code after the correct password, while the log is full: its line arrives when the log is read.
fn an_alarm_waits_for_the_log(lab: &Lab) {
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
    assert!(began.elapsed() > Duration::from_secs(2), "it did not wait");
    let lines = reader.join().expect("the reader");
    let ours: Vec<&String> = lines
        .iter()
        .filter(|line| !line.ends_with(">full"))
        .collect();
    let [line] = &ours[..] else {
        panic!("{lines:#?}");
    };
    assert!(line.contains("first=password reason=wrong-code"), "{line}");
    // The line about the SMS was lost.
    assert!(line.ends_with(" lost=1"), "{line}");
}

/// If the log is never read, the user waits for no longer than the deadline.
fn not_beyond_the_deadline(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let who = someone(lab, "lost-late");
    lab.slapd()
        .replace(&who.person, "phoneNumberVerified", &["FALSE"]);
    for (deadline, least, most) in [("2m", 5, 8), ("2s", 0, 4)] {
        let login = with_ledger(lab, "lost-late", &who).text("deadline", deadline);
        let path = folder(&login).with_file_name(format!("unread-{deadline}"));
        let (path, _socket) = full(&path);
        let login = login.host(|host| host.with_bind_mounts(&[(&path, "/dev/log")]));
        let began = Instant::now();
        let (_, seen) = login.run(KNOCK, 0);
        assert_ne!(seen.codes(), [code::SUCCESS]);
        let took = began.elapsed().as_secs();
        assert!((least..most).contains(&took), "{deadline}: {took} s");
    }
}

/// If the log stays full, a login waits for one line only, not for each: otherwise it would use up the
/// deadline before an SMS is sent, which would be an outage.
fn many_lines_wait_as_one(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let case = "lost-many";
    let mut who = someone(lab, case);
    let login = |who: &Someone| with_ledger(lab, case, who).text("deadline", "2s");
    lost(login(&who), &Log::There, IN, &["sent", "granted"]);
    let mut numbers: Vec<String> = (0..6).map(|_| lab.number()).collect();
    numbers.sort();
    let values: Vec<&str> = numbers.iter().map(String::as_str).collect();
    lab.slapd().replace(&who.person, "mobile", &values);
    who.number.clone_from(&numbers[0]);
    let (path, _socket) = full(&folder(&login(&who)).with_file_name("unread-many"));
    let login = login(&who).host(|host| host.with_bind_mounts(&[(&path, "/dev/log")]));
    let (_, seen) = login.run(IN, 0);
    assert_eq!(seen.codes(), [code::SUCCESS]);
}

/// If the module ends while the helper waits, the helper ends, too.
fn not_after_its_host(lab: &Lab) {
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
    // Time to reach the line that the log does not take.
    std::thread::sleep(Duration::from_secs(2));
    assert!(
        helper.exit_within(Duration::ZERO).is_none(),
        "it does not wait"
    );
    helper.disconnect();
    let ended = helper.exit_within(Duration::from_secs(1));
    assert!(ended.is_some(), "it waits longer than its host runs");
}
