//! The shared ledger, and this host's own.

use super::ground::{Ground, row};
use super::{DEADLINE, LOCAL, OUTAGE, Row, STEP, Spoilt, slow, transport};
use crate::module::{ASKS, Login, NOT_SENT, SENT, Say, Seen};
use lab::fault_proxy::{Fault, FaultProxy};
use lab::pamhost::code;
use std::path::Path;

const IN: [Say; 2] = [Say::Password, Say::Code];

/// Before any SMS.
fn unsent(code: i32, reason: &str) -> Seen {
    let line = format!("failed stage=ledger reason={reason}");
    Seen::new(&[code], &[ASKS, NOT_SENT], &[&line], 0)
}

/// After one. An outage is a service error as well then: the user has seen a code prompt.
fn sent(reason: &str) -> Seen {
    let line = format!("failed stage=ledger reason={reason}");
    Seen::new(&[LOCAL], &[ASKS, SENT, NOT_SENT], &["sent", &line], 1)
}

/// The right code was typed and compared; only the success cannot be recorded. The try stays counted.
fn recorded(reason: &str) -> Seen {
    let line = format!("failed stage=ledger reason={reason}");
    Seen::new(
        &[code::SUCCESS],
        &[ASKS, SENT],
        &["sent", &line, "granted"],
        1,
    )
}

/// Round trips with Redis without TLS.
const ROLE: usize = 1;
const ADMIT: usize = 2;
const TRY: usize = 3;
const RECORD: usize = 4;

fn between<'b>(
    ground: &'b Ground<'b>,
    login: Login<'b>,
    secured: bool,
    turn: usize,
    fault: &Fault,
) -> Spoilt<'b> {
    let (scheme, real) = if secured {
        ("rediss", ground.redis.tls_port())
    } else {
        ("redis", ground.redis.port())
    };
    let middle = FaultProxy::start(real, turn, fault.clone());
    let url = format!("{scheme}://127.0.0.1:{}", middle.port());
    Spoilt {
        login: ground.shared_ledger(login, &url),
        middle: Some(middle),
    }
}

pub fn rows<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    let mut rows = reaching(ground);
    rows.extend(talking(ground));
    rows.extend(sentinel(ground));
    rows.extend(own());
    rows
}

fn reaching<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    let mut rows = Vec::new();
    for (what, port) in [
        ("refused", ground.refused.port()),
        ("black hole", ground.full.port()),
    ] {
        for scheme in ["redis", "rediss"] {
            let url = format!("{scheme}://127.0.0.1:{port}");
            let (what, want) = (format!("{what} {scheme}"), unsent(OUTAGE, "outage"));
            rows.push(row("ledger: connect", what, &IN, &want, move |login| {
                ground
                    .shared_ledger(login, &url)
                    .text("ledger.timeout", STEP)
                    .into()
            }));
        }
    }
    for fault in transport() {
        // A server at maxclients closes before TLS is complete: it refuses us.
        let want = match fault {
            Fault::Close | Fault::Reset | Fault::Truncate => unsent(LOCAL, "refused"),
            _ => unsent(OUTAGE, "outage"),
        };
        let what = format!("{fault:?}");
        rows.push(row("ledger: TLS", what, &IN, &want, move |login| {
            between(ground, login, true, 1, &fault).within("ledger.timeout", &fault)
        }));
    }
    for turn in [1, 2] {
        let (what, want) = (format!("a bit in turn {turn}"), unsent(OUTAGE, "outage"));
        rows.push(row("ledger: TLS", what, &IN, &want, move |login| {
            between(ground, login, true, turn, &Fault::BitFlip).text("ledger.timeout", STEP)
        }));
    }
    for (identity, server) in &ground.untrusted {
        let url = format!("rediss://127.0.0.1:{}", server.port());
        let want = unsent(LOCAL, "refused");
        rows.push(row(
            "ledger: TLS",
            format!("{identity:?}"),
            &IN,
            &want,
            move |login| ground.shared_ledger(login, &url).into(),
        ));
    }
    rows
}

fn talking<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    let mut rows = Vec::new();
    for (stage, turn) in [
        ("ledger: login", ROLE),
        ("ledger: admit", ADMIT),
        ("ledger: count a try", TRY),
        (super::RECORD, RECORD),
    ] {
        let want = |code, reason| match turn {
            TRY => sent(reason),
            RECORD => recorded(reason),
            _ => unsent(code, reason),
        };
        let outage = want(OUTAGE, "outage");
        let mut faults: Vec<(String, Fault)> = transport()
            .into_iter()
            .map(|fault| (format!("{fault:?}"), fault))
            .collect();
        let huge = Fault::Endless(b"$2000000000\r\n".to_vec());
        faults.push(("oversized".to_owned(), huge));
        for says in [
            "-LOADING wait",
            "-CLUSTERDOWN no",
            "-MISCONF disk",
            "-READONLY no",
        ] {
            let bytes = format!("{says}\r\n").into_bytes();
            faults.push((says.to_owned(), Fault::Reply(bytes)));
        }
        for (what, fault) in faults {
            rows.push(row(stage, what, &IN, &outage, move |login| {
                between(ground, login, false, turn, &fault).within("ledger.timeout", &fault)
            }));
        }
        for fault in slow() {
            let what = format!("{fault:?}, by deadline");
            rows.push(row(stage, what, &IN, &outage, move |login| {
                let spoilt = between(ground, login, false, turn, &fault);
                spoilt
                    .text("ledger.timeout", "20s")
                    .text("deadline", DEADLINE)
            }));
        }
        for says in ["-NOAUTH who?", "-NOPERM no", "-OOM command not allowed"] {
            let bytes = format!("{says}\r\n").into_bytes();
            let refused = want(LOCAL, "refused");
            rows.push(row(stage, says, &IN, &refused, move |login| {
                between(ground, login, false, turn, &Fault::Reply(bytes.clone()))
            }));
        }
    }
    rows
}

/// A Sentinel or cluster node that is asked where the ledger is.
fn sentinel<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    let said = |text: &str| {
        let bytes = text.replace('\n', "\r\n").into_bytes();
        (text.trim_end().to_owned(), Fault::Reply(bytes))
    };
    let mut faults: Vec<(String, Fault)> = transport()
        .into_iter()
        .map(|fault| (format!("{fault:?}"), fault))
        .collect();
    // It knows none; it knows one that is none.
    faults.extend(["*-1\n", "$-1\n", "*0\n", "+OK\n", "*2\n$1\nx\n$1\ny\n"].map(said));
    let outage = unsent(OUTAGE, "outage");
    let mut rows: Vec<Row<'b>> = faults
        .into_iter()
        .map(|(what, fault)| {
            row("ledger: Sentinel", what, &IN, &outage, move |login| {
                before_the_sentinel(ground, login, &fault)
            })
        })
        .collect();
    // No server can redirect to a port that the settings do not name.
    let elsewhere = said("*2\n$9\n127.0.0.1\n$1\n9\n").1;
    let refused = unsent(LOCAL, "refused");
    rows.push(row(
        "ledger: Sentinel",
        "another port",
        &IN,
        &refused,
        move |login| before_the_sentinel(ground, login, &elsewhere),
    ));
    rows
}

fn before_the_sentinel<'b>(ground: &'b Ground<'b>, login: Login<'b>, fault: &Fault) -> Spoilt<'b> {
    let middle = FaultProxy::start(ground.sentinel.port(), 1, fault.clone());
    let (at, master) = (middle.port(), ground.redis.port());
    let url = format!("redis+sentinel://127.0.0.1:{at}/lab:{master}");
    Spoilt {
        login: ground
            .shared_ledger(login, &url)
            .text("ledger.timeout", STEP),
        middle: Some(middle),
    }
}

/// Faults of this host's own ledger.
type Spoil = fn(&Path);

fn own<'b>() -> Vec<Row<'b>> {
    let want = unsent(LOCAL, "local");
    let spoils: [(&str, Spoil); 8] = [
        ("a full disk", |path| {
            disk(path);
            fill(path);
        }),
        ("a read-only disk", |path| {
            disk(path);
            mount(&["-o", "remount,ro"], path);
        }),
        ("a file in place of its folder", |path| {
            lab::scratch::write(path, 0o600, "");
        }),
        ("a folder of another user", |path| {
            std::fs::create_dir(path).expect("a folder");
            std::os::unix::fs::chown(path, Some(4711), Some(4711)).expect("root may chown");
        }),
        ("a folder that all may write", |path| {
            std::fs::create_dir(path).expect("a folder");
            lab::scratch::set_mode(path, 0o777);
        }),
        ("something else in its place", |path| {
            inside(path, b"#!/bin/sh\n");
        }),
        ("a sector of zeros", |path| inside(path, &[0; 4096])),
        ("a pipe without a writer", |path| {
            std::fs::create_dir(path).expect("a folder");
            lab::scratch::set_mode(path, 0o700);
            fifo(&path.join("ledger"));
        }),
    ];
    let mut rows = Vec::new();
    for (what, spoil) in spoils {
        rows.push(row(
            "ledger: this host's own",
            what,
            &IN,
            &want,
            move |login| {
                let path = fresh(&login);
                spoil(&path);
                login
                    .text("ledger.path", path.to_str().expect("a path"))
                    .into()
            },
        ));
    }
    rows
}

/// A separate disk in the tests' private machine.
fn disk(path: &Path) {
    std::fs::create_dir(path).expect("a folder");
    mount(&["-t", "tmpfs", "-o", "size=64k,mode=0700", "lab"], path);
}

fn mount(how: &[&str], path: &Path) {
    let mut command = std::process::Command::new(lab::process::program("mount"));
    let status = command.args(how).arg(path).status();
    assert!(status.is_ok_and(|status| status.success()), "mount {how:?}");
}

fn fill(path: &Path) {
    let mut file = std::fs::File::create(path.join("filler")).expect("a file");
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
}

/// A path that no other row uses.
pub fn fresh(login: &Login) -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::SeqCst);
    login.folder.join(format!("fresh-{serial}"))
}

fn inside(path: &Path, bytes: &[u8]) {
    std::fs::create_dir(path).expect("a folder");
    lab::scratch::set_mode(path, 0o700);
    lab::scratch::write(&path.join("ledger"), 0o600, bytes);
}

pub fn fifo(path: &Path) {
    let made = std::process::Command::new(lab::process::program("mkfifo"))
        .arg(path)
        .status();
    assert!(made.is_ok_and(|status| status.success()));
    lab::scratch::set_mode(path, 0o600);
}
