use std::{
    io::Read,
    os::unix::net::{UnixDatagram, UnixStream},
    thread,
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::{socket::Attempt, *};
use crate::deadline::Deadline;

fn context() -> LogContext<'static> {
    LogContext {
        login: LoginId([0; 4]),
        service: "sshd",
        user: b"alice",
        rhost: "",
        tag: "sshd",
        pid: 1,
        debug: false,
    }
}

fn phone() -> Phone {
    Phone::parse("+447700900123", None).unwrap()
}

/// A log that takes nothing more; one line is lost.
fn full(host: Option<OwnedFd>) -> (AuthLog, UnixDatagram) {
    let (near, far) = UnixDatagram::pair().unwrap();
    let connect = |tag| Socket::from_datagram(near, tag);
    let log = AuthLog::with_socket(connect, host.map(Arc::new), &context());
    while log.phone_changed(&phone()) {}
    (log, far)
}

/// Everything that was written so far.
fn read(far: &UnixDatagram) -> Vec<String> {
    far.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    let mut lines = Vec::new();
    while let Ok(length) = far.recv(&mut buffer) {
        lines.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    lines
}

fn denied(log: &AuthLog, left: Duration) -> Duration {
    let began = Instant::now();
    log.denied(&Denied::WrongCode.into(), Some("password"), left);
    began.elapsed()
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn lost_lines_are_reported_once_by_the_next_that_is_taken() {
    let (log, far) = full(None);
    assert!(!log.phone_changed(&phone()));
    assert!(read(&far).iter().all(|line| !line.contains("lost=")));
    assert!(log.phone_changed(&phone()));
    log.granted();
    let lines = read(&far);
    assert!(lines[0].ends_with(" lost=2"), "{lines:?}");
    assert!(!lines[1].contains("lost="), "{lines:?}");
}

/// Where they are counted may change: nothing is forgotten.
#[test]
fn lines_that_were_lost_before_there_was_a_ledger_are_counted_there() {
    struct Shared(Arc<Mutex<u32>>);
    impl LostLines for Shared {
        fn add(&mut self, lines: u32) {
            *lock(&self.0) += lines;
        }
        fn report(&mut self, send: &mut dyn FnMut(u32) -> u32) {
            let count = *lock(&self.0);
            *lock(&self.0) -= send(count);
        }
    }
    let (log, far) = full(None);
    let count = Arc::new(Mutex::new(7));
    log.count_lost(Box::new(Shared(Arc::clone(&count))));
    assert_eq!(*lock(&count), 8);
    assert!(!log.phone_changed(&phone()));
    assert_eq!(*lock(&count), 9);
    read(&far);
    log.granted();
    assert!(read(&far)[0].ends_with(" lost=9"));
    assert_eq!(*lock(&count), 0);
}

#[test]
fn a_refusal_after_the_first_factor_waits_for_space() {
    let (log, far) = full(None);
    let reader = thread::spawn(move || {
        thread::sleep(Duration::from_secs(1));
        // The line that waits may come while this reads.
        (read(&far), far)
    });
    let took = denied(&log, LONG);
    assert!(took >= Duration::from_millis(900), "{took:?}");
    let (mut lines, far) = reader.join().unwrap();
    lines.extend(read(&far));
    let last = lines.last().unwrap();
    assert!(last.contains("first=password"), "{last}");
    assert!(last.ends_with(" lost=1"), "{last}");
}

#[test]
fn of_several_lines_only_the_first_waits() {
    let (log, far) = full(None);
    let began = Instant::now();
    for _ in 0..100 {
        assert!(!log.phone_changed(&phone()));
    }
    assert!(began.elapsed() < MAX_WAIT, "{:?}", began.elapsed());
    // After a line that was taken the next one waits again, and an alarm always.
    read(&far);
    assert!(log.phone_changed(&phone()));
    let began = Instant::now();
    while log.phone_changed(&phone()) {}
    assert!(began.elapsed() >= MAX_WAIT, "{:?}", began.elapsed());
    assert!(denied(&log, MAX_WAIT * 2) >= MAX_WAIT * 2);
}

#[test]
fn it_waits_five_seconds_and_never_beyond_the_deadline() {
    for (left, least, most) in [(60_000, 4900, 9000), (900, 800, 3000), (0, 0, 400)] {
        let (log, _far) = full(None);
        let took = denied(&log, Duration::from_millis(left)).as_millis();
        assert!((least..most).contains(&took), "{left}: {took}");
    }
    // Another refusal does not wait as long.
    let (log, _far) = full(None);
    let began = Instant::now();
    log.denied(&Denied::WrongPassword.into(), None, LONG);
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[test]
fn it_does_not_outwait_its_host() {
    let (module, wire) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    let (log, _far) = full(Some(wire));
    let host = thread::spawn(move || {
        thread::sleep(Duration::from_millis(700));
        drop(module);
    });
    let took = denied(&log, LONG);
    assert!(took < Duration::from_secs(3), "{took:?}");
    host.join().unwrap();
    // Nor does the line of the one who has gone.
    let began = Instant::now();
    log.disconnected();
    assert!(began.elapsed() < Duration::from_millis(400));
}

/// A stream that has taken a part of a line gets the rest, and each line ends with a NUL.
#[test]
fn a_line_in_a_stream_is_not_cut() {
    let (near, far) = UnixStream::pair().unwrap();
    far.set_nonblocking(true).unwrap();
    let tag = Tag {
        name: "sshd".into(),
        pid: 1,
    };
    let mut socket = Socket::from_stream(near, tag);
    let text = "x".repeat(10_000);
    let (mut sent, mut all) = (0, Vec::new());
    while socket.attempt(Severity::LOG_INFO, &text) == Attempt::Accepted {
        sent += 1;
    }
    assert!(socket.is_pending());
    let by = || Deadline::within(Duration::from_millis(100));
    assert!(!socket.wait(by(), None));
    let mut rest = || {
        let mut buffer = [0; 4096];
        while let Ok(length) = (&far).read(&mut buffer) {
            all.extend_from_slice(&buffer[..length]);
        }
    };
    rest();
    assert!(socket.wait(by(), None));
    assert_eq!(
        socket.attempt(Severity::LOG_INFO, "not this"),
        Attempt::Accepted
    );
    assert_eq!(
        socket.attempt(Severity::LOG_INFO, "the next"),
        Attempt::Accepted
    );
    rest();
    let lines: Vec<&[u8]> = all.split(|byte| *byte == 0).collect();
    assert_eq!(lines.len(), sent + 3);
    for line in &lines[..=sent] {
        assert!(line.starts_with(b"<86>") && line.ends_with(text.as_bytes()));
    }
    assert!(lines[sent + 1].ends_with(b": the next"));
}
