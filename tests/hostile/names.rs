//! Name services that hang. Lookups of libc have no time limit, so only a process that can be killed may
//! wait for one, never the host process.

use super::misbehaved::LOST;
use crate::Case;
use crate::module::{ASKS, Login, Say, Seen, someone};
use lab::Lab;
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
        "hostile::names::a_hanging_name_service_does_not_hang_the_host",
        a_hanging_name_service_does_not_hang_the_host,
    ),
    (
        "hostile::names::exhausted_local_ports_are_not_an_outage",
        exhausted_local_ports_are_not_an_outage,
    ),
];

/// The helper must send its first message within ten seconds.
const LONG: Duration = Duration::from_secs(25);

/// Creates an /etc/passwd that can be opened, but not read.
fn endless(path: &Path) {
    let made = Command::new(program("mkfifo")).arg(path).status();
    assert!(made.is_ok_and(|status| status.success()));
}

/// The helper hangs and is killed, and the host process continues.
fn a_hanging_name_service_does_not_hang_the_host(lab: &Lab) {
    let who = someone(lab, "names-ida");
    let login = Login::new(lab, "names").of(&who).own_helper();
    let passwd = login.folder.join("passwd");
    endless(&passwd);
    let login = login.host(|host| {
        host.with_bind_mounts(&[(&passwd, "/etc/passwd")])
            .steps(&[Step::Authenticate, Step::Authenticate])
    });
    let (began, is_over) = (Instant::now(), AtomicBool::new(false));
    let seen = thread::scope(|scope| {
        scope.spawn(|| {
            // If the host process hangs, it is released at last, and its time is the failure.
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

/// A local user can use up the local ports. Then no name server can be asked, and the C library reports only
/// that none responded.
fn exhausted_local_ports_are_not_an_outage(lab: &Lab) {
    // A machine with one local port for datagrams, which the host process uses.
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
    let jan = someone(lab, "names-jan");
    let login = |case, script: &str| {
        Login::new(lab, case)
            .of(&jan)
            .own_helper()
            .set("ldap.uris", "[\"ldaps://directory.example.org\"]")
            .host(|host| host.through(&[&unshare, "--net", &sh, "-c", script, "sh"]))
    };
    let failed = |code, reason| {
        let line = format!("failed user=? stage=directory reason={reason}");
        Seen::new(&[code], &[ASKS], &[&line], 0)
    };
    let all = login("names-ports", &take);
    all.sees(
        "all ports",
        &[Say::Password],
        &failed(code::SERVICE_ERR, "local"),
    );
    let none = login("names-away", "exec \"$@\"");
    none.sees(
        "no name server",
        &[Say::Password],
        &failed(code::AUTHINFO_UNAVAIL, "outage"),
    );
}
