//! Measures the shared ledger in Redis on loopback: the time of a decision, and the round trips of a
//! login.

use crate::program::{Answer, Report, decide, run};
use crate::table::{Table, median, ms};
use lab::process::find;
use lab::redis::Redis;
use ledger_bench::engine::{Engine, redis::RedisLedger};
use ledger_bench::users::{account, limits, rules};
use sms_otp::deadline::Deadline;
use sms_otp::ledger::{Decision, Ledger};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const RUNS: u64 = 41;

const CAPTION: &str = "A real server on loopback, so that the times contain no network distance. \
    First a new process that connects and decides, then a second decision on the same connection. \
    A proxy counts the round trips: each time the direction changes from server to client. On a \
    real network each costs one round-trip time, and the connection is opened while the user types \
    the password.";

/// Returns `None` if no server program is installed.
pub fn measure() -> Option<Table> {
    find(&["redis-server", "valkey-server"])?;
    let server = Redis::start();
    let mut table = Table::new("The shared ledger", CAPTION, &["Redis on loopback", ""]);
    let reports = (0..RUNS).map(|pair| {
        let users = [2 * pair, 2 * pair + 1];
        run(decide("redis", &server.port().to_string(), &users)).1
    });
    let reports: Vec<Report> = reports.collect();
    let time = |decision: usize| {
        let times = reports
            .iter()
            .map(|report| match report.decisions.get(decision) {
                Some((Answer::Reserved, time)) => *time,
                other => panic!("no SMS was reserved: {other:?}"),
            });
        median(times.collect())
    };
    let opened = median(reports.iter().map(|report| report.open).collect());
    table.row("decision on a new connection", [ms(opened + time(0))]);
    table.row("decision on an open connection", [ms(time(1))]);
    for (what, trips) in trips(server.port()) {
        table.row(
            what,
            [format!(
                "{trips} round trip{}",
                if trips == 1 { "" } else { "s" }
            )],
        );
    }
    Some(table)
}

/// Counts the round trips of each step of a login on an open connection.
fn trips(server: u16) -> [(&'static str, u32); 3] {
    let turns = Arc::new(Mutex::new(Turns::default()));
    let mut store = RedisLedger::open(&proxy(server, &turns).to_string()).0;
    let count = || std::mem::take(&mut turns.lock().expect("the count").requests);
    // The first login connects, and loads the scripts into the server's cache.
    login(&mut store, 998, count);
    let [admit, attempt, success] = login(&mut store, 999, count);
    [
        ("`admit`: before the prompt for the code", admit),
        ("`record_attempt`: before the code is compared", attempt),
        ("`record_success`: after the right code", success),
    ]
}

/// Runs the steps of one login; returns the result of `count` after each.
fn login(store: &mut impl Ledger, user: u64, count: impl Fn() -> u32) -> [u32; 3] {
    let by = Deadline::within(Duration::from_secs(30));
    let (limits, account) = (limits(), account(user));
    let admission = store
        .admit(&account, rules(&limits), by)
        .expect("an answer");
    assert!(
        matches!(admission.decision, Decision::Reserved(_)),
        "{admission:?}"
    );
    let admit = count();
    store
        .record_attempt(&account, rules(&limits), by)
        .expect("an answer")
        .expect("an attempt");
    let attempt = count();
    store
        .record_success(&account, rules(&limits), 1, by)
        .expect("an answer");
    [admit, attempt, count()]
}

/// The direction of the last bytes, and how often it has changed to the server.
#[derive(Default)]
struct Turns {
    to_server: bool,
    requests: u32,
}

impl Turns {
    fn add(&mut self, to_server: bool) {
        if to_server && !self.to_server {
            self.requests += 1;
        }
        self.to_server = to_server;
    }
}

/// Starts a proxy that counts the turns between a client and the server; returns its port.
fn proxy(server: u16, turns: &Arc<Mutex<Turns>>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let turns = Arc::clone(turns);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).expect("the server");
            let (back, forth) = (server.try_clone(), client.try_clone());
            let (back, forth) = (back.expect("a copy"), forth.expect("a copy"));
            for (from, to, to_server) in [(client, server, true), (back, forth, false)] {
                let turns = Arc::clone(&turns);
                thread::spawn(move || forward(from, to, to_server, &turns));
            }
        }
    });
    port
}

fn forward(
    mut from: TcpStream,
    mut to: TcpStream,
    to_server: bool,
    turns: &Mutex<Turns>,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return to.shutdown(Shutdown::Write);
        }
        turns.lock().expect("the count").add(to_server);
        to.write_all(&buffer[..length])?;
    }
}
