//! Connections that an unauthenticated user can make this machine hold: open prompts of a known name keep
//! few of them, for a short time, and do not affect other users.

use super::torture;
use crate::Case;
use crate::module::login::{ASKS, LATER, Login, NOT_SENT, PASSWORD, Say, Seen, Someone, known};
use crate::module::with_ledger;
use lab::Lab;
use lab::certs::Identity;
use lab::pamhost::{Answer, Style, code};
use lab::redis::{Options, Redis};
use rustix::process::Pid;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "hostile::prefetch::closed_after_15_seconds_without_input",
        closed_after_15_seconds_without_input,
    ),
    (
        "hostile::prefetch::closed_before_the_delay_of_a_refusal",
        closed_before_the_delay_of_a_refusal,
    ),
    (
        "hostile::prefetch::open_prompts_do_not_block_other_users",
        open_prompts_do_not_block_other_users,
    ),
    (
        "hostile::prefetch::a_full_server_does_not_lift_a_lock",
        a_full_server_does_not_lift_a_lock,
    ),
];

const KEY: &str = "obviously-fake-key-of-the-lab-0123456789";

/// To the directory, the ledger and Twilio.
const ALL: usize = 3;

/// A login whose ledger is this one, with a helper that no other login uses.
fn login<'b>(lab: &'b Lab, case: &'static str, who: &Someone, redis: &str) -> Login<'b> {
    let login = with_ledger(lab, case, who).own_helper();
    let key = login.folder.join("key");
    lab::scratch::write(&key, 0o600, KEY);
    let ca = lab.certs().ca();
    login
        .text("ledger.redis", redis)
        .text("ledger.ca_file", ca.to_str().expect("a path"))
        .text("ledger.key_file", key.to_str().expect("a path"))
}

/// Returns the number of TCP connections of a process, in any state.
fn connections(pid: Pid) -> usize {
    let process = format!("/proc/{}", pid.as_raw_nonzero());
    let table = std::fs::read_to_string(format!("{process}/net/tcp")).unwrap_or_default();
    let inodes: Vec<String> = table
        .lines()
        .filter_map(|line| Some(format!("socket:[{}]", line.split_whitespace().nth(9)?)))
        .collect();
    let open = std::fs::read_dir(format!("{process}/fd"))
        .into_iter()
        .flatten();
    open.flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|target| {
            inodes
                .iter()
                .any(|inode| target.as_os_str() == inode.as_str())
        })
        .count()
}

fn of_all_helpers(login: &Login) -> usize {
    login.helpers().into_iter().map(connections).sum()
}

/// Waits until the helpers have this number of connections, and returns how long that took.
fn wait_for(login: &Login, wanted: usize) -> Duration {
    let began = Instant::now();
    while of_all_helpers(login) != wanted {
        let has = of_all_helpers(login);
        assert!(
            began.elapsed() < Duration::from_secs(25),
            "{}: {has} connections, not {wanted}",
            login.case
        );
        sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

/// An answer after that is still accepted.
fn closed_after_15_seconds_without_input(lab: &Lab) {
    let Some(ada) = known(lab, "prefetch-ada") else {
        return;
    };
    let redis = Redis::start();
    let url = format!("redis://127.0.0.1:{}", redis.port());
    let login = login(lab, "prefetch-idle", &ada, &url);
    let (_, seen) = login.run_with(2, |message| match message.style {
        Style::Hidden => {
            wait_for(&login, ALL);
            let kept = wait_for(&login, 0);
            assert!(kept > Duration::from_secs(12), "{kept:?}");
            PASSWORD.into()
        }
        Style::Shown => login.arrived()[0].code().into(),
        _ => Answer::ConvErr,
    });
    assert_eq!(seen, Seen::granted());
}

/// After a wrong password the connections are closed before the delay of the refusal.
fn closed_before_the_delay_of_a_refusal(lab: &Lab) {
    let Some(bob) = known(lab, "prefetch-bob") else {
        return;
    };
    let redis = Redis::start();
    let url = format!("redis://127.0.0.1:{}", redis.port());
    let login = login(lab, "prefetch-wrong", &bob, &url).text("password.refuse_after", "4s");
    let typed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let held = scope.spawn(|| {
            while !typed.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(5));
            }
            wait_for(&login, 0);
            assert_eq!(login.helpers().len(), 1, "it waits for the delay");
        });
        let (_, seen) = login.run_with(1, |_| {
            wait_for(&login, ALL);
            typed.store(true, Ordering::SeqCst);
            "wrong".into()
        });
        let line = "denied reason=wrong-password";
        assert_eq!(seen, Seen::refused(code::AUTH_ERR, line));
        held.join().expect("closed connections");
    });
}

/// More prompts than clients that the server of the ledger accepts, opened again and again: they hold at most
/// 16 connections, and another user logs in.
fn open_prompts_do_not_block_other_users(lab: &Lab) {
    let (Some(cyd), Some(dan)) = (known(lab, "prefetch-cyd"), known(lab, "prefetch-dan")) else {
        return;
    };
    let (prompts, held, rounds) = if torture() {
        (200, Duration::from_secs(10), 6)
    } else {
        (24, Duration::from_secs(3), 2)
    };
    let redis = Redis::start_as(&Options {
        tls: Some((lab.certs(), Identity::Good)),
        lines: &["maxclients 20".to_owned()],
        ..Options::default()
    });
    let url = format!("rediss://127.0.0.1:{}", redis.tls_port());
    let attacker = login(lab, "prefetch-attacker", &cyd, &url);
    let path = attacker.folder.join("ledger");
    let other = login(lab, "prefetch-other", &dan, &url)
        .text("ledger.path", path.to_str().expect("a path"))
        .text("ledger.unreachable", "deny")
        // In the long form logins continue for a minute.
        .set("limits.sms", "[\"1000/1h\"]");
    let over = AtomicBool::new(false);
    let granted = std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                attacker.storm(prompts, |_| {
                    sleep(held);
                    Answer::ConvErr
                });
            }
            over.store(true, Ordering::SeqCst);
        });
        let mut granted = 0;
        // All permits are in use.
        while !over.load(Ordering::SeqCst) {
            let clients = clients(&redis);
            assert!(clients <= 16 + 2, "{clients} connections");
            if clients >= 16 {
                other.sees("beside them", &[Say::Password, Say::Code], &Seen::granted());
                granted += 1;
            }
            sleep(Duration::from_millis(50));
        }
        granted
    });
    assert!(granted > 0, "the prompts never held as much as they may");
}

/// Returns the number of the server's clients, without this one.
fn clients(redis: &Redis) -> usize {
    let info = redis.ask(&["INFO", "clients"]);
    let count = info
        .lines()
        .find_map(|line| line.strip_prefix("connected_clients:"));
    let count: usize = count.expect("a count").trim().parse().expect("a number");
    count - 1
}

/// With `unreachable = "local"` a user who is locked in the shared ledger cannot fill its server to be counted
/// in the local ledger instead.
fn a_full_server_does_not_lift_a_lock(lab: &Lab) {
    let Some(eve) = known(lab, "prefetch-eve") else {
        return;
    };
    let redis = Redis::start_as(&Options {
        tls: Some((lab.certs(), Identity::Good)),
        lines: &["maxclients 2".to_owned()],
        ..Options::default()
    });
    let clear = format!("redis://127.0.0.1:{}", redis.port());
    let tls = format!("rediss://127.0.0.1:{}", redis.tls_port());
    let on = |case, url: &str| login(lab, case, &eve, url).set("limits.failures", "1");
    let (_, seen) = on("prefetch-locks", &clear).run(&[Say::Password, Say::WrongCode], 2);
    assert_eq!(seen.log()[1], "denied first=password reason=locked");
    for (case, url) in [("prefetch-full", clear), ("prefetch-full-tls", tls)] {
        let login = on(case, &url);
        let refused = "failed stage=ledger reason=refused";
        let seen = Seen::new(&[code::SERVICE_ERR], &[ASKS, NOT_SENT], &[refused], 0);
        redis.until("capacity for clients", || clients_or_full(&redis) == 0);
        let held = [client(&redis), client(&redis)];
        login.sees("full", &[Say::Password], &seen);
        drop(held);
        redis.until("capacity for clients", || clients_or_full(&redis) == 0);
        let seen = Seen::unsent(code::MAXTRIES, LATER, "denied first=password reason=locked");
        login.sees("with capacity", &[Say::Password], &seen);
    }
}

fn clients_or_full(redis: &Redis) -> usize {
    let info = redis.ask(&["INFO", "clients"]);
    if info.contains("max number of clients") {
        return usize::MAX;
    }
    clients(redis)
}

/// A client that holds a connection.
fn client(redis: &Redis) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).expect("a connection");
    stream.write_all(b"PING\r\n").expect("a request");
    stream.read_exact(&mut [0; 7]).expect("a response");
    stream
}
