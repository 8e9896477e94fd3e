//! Name services that hang. libc's look-ups have no time limit: whoever waits for one must be a process
//! that can be ended, and never the host.

use super::misbehaved::LOST;
use crate::Case;
use crate::module::{ASKS, Login, Say, Seen, someone};
use lab::bench::Bench;
use lab::pamhost::{Step, code};
use lab::process::program;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "hostile::names::a_name_service_that_hangs_keeps_no_host",
        a_name_service_that_hangs_keeps_no_host,
    ),
    (
        "hostile::names::ports_that_somebody_took_are_no_outage",
        ports_that_somebody_took_are_no_outage,
    ),
];

/// The helper has ten seconds for its first word.
const LONG: Duration = Duration::from_secs(25);

/// An /etc/passwd that never opens.
fn endless(path: &Path) {
    let made = Command::new(program("mkfifo")).arg(path).status();
    assert!(made.is_ok_and(|status| status.success()));
}

/// The helper hangs, is ended, and the host goes on: without asking who it was that came.
fn a_name_service_that_hangs_keeps_no_host(bench: &Bench) {
    let who = someone(bench, "names-ida");
    let login = Login::new(bench, "names").of(&who).own_helper();
    let passwd = login.folder.join("passwd");
    endless(&passwd);
    let login = login.host(|host| {
        host.with_over(&[(&passwd, "/etc/passwd")])
            .steps(&[Step::Authenticate, Step::Authenticate])
    });
    let (began, is_over) = (Instant::now(), AtomicBool::new(false));
    let seen = thread::scope(|scope| {
        scope.spawn(|| {
            // A host that hangs all the same is let go in the end, and fails by its time.
            while !is_over.load(Ordering::SeqCst) && began.elapsed() < 2 * LONG {
                thread::sleep(Duration::from_millis(20));
            }
            let _writer = OpenOptions::new().read(true).write(true).open(&passwd);
            thread::sleep(Duration::from_millis(200));
        });
        let want = Seen::new(
            &[code::SERVICE_ERR, code::SERVICE_ERR],
            &[],
            &[LOST, LOST],
            0,
        );
        let seen = login.sees("hangs", &[Say::Password, Say::Code], &want);
        is_over.store(true, Ordering::SeqCst);
        seen
    });
    for (_, took) in seen.results {
        assert!(took < LONG, "{took:?}");
    }
    assert!(login.helpers().is_empty(), "a helper is still there");
}

/// Whoever is logged in may take every local port. Then no name server can be asked, and the C library
/// says no more than that it did not answer.
fn ports_that_somebody_took_are_no_outage(bench: &Bench) {
    // A machine whose one local port for datagrams is the host's.
    let (range, port) = ("/proc/sys/net/ipv4/ip_local_port_range", 50_000);
    if OpenOptions::new().write(true).open(range).is_err() {
        println!("NOT TRIED: /proc/sys cannot be written here");
        return;
    }
    let take = format!(
        "echo {port} {port} >{range} && exec {} -MSocket -e 'BEGIN {{ $^F = 99 }} \
         socket(S, AF_INET, SOCK_DGRAM, 17) && bind(S, sockaddr_in({port}, INADDR_ANY)) or die; \
         exec @ARGV' \"$@\"",
        program("perl").display()
    );
    let (unshare, sh) = (program("unshare"), program("sh"));
    let (unshare, sh) = (unshare.display().to_string(), sh.display().to_string());
    let jan = someone(bench, "names-jan");
    let login = |case, script: &str| {
        Login::new(bench, case)
            .of(&jan)
            .own_helper()
            .set("ldap.uris", "[\"ldaps://directory.example.org\"]")
            .host(|host| host.through(&[&unshare, "--net", &sh, "-c", script, "sh"]))
    };
    let says = |code, reason| {
        let line = format!("failed user=? stage=directory reason={reason}");
        Seen::new(&[code], &[ASKS], &[&line], 0)
    };
    let all = login("names-ports", &take);
    all.sees(
        "all ports",
        &[Say::Password],
        &says(code::SERVICE_ERR, "local"),
    );
    let none = login("names-away", "exec \"$@\"");
    none.sees(
        "no name server",
        &[Say::Password],
        &says(code::AUTHINFO_UNAVAIL, "outage"),
    );
}
