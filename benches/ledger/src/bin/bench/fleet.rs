//! The fleet's ledger, on loopback: what a decision costs, and how often a login goes there and back.

use crate::program::{Answer, Said, decide, run};
use crate::table::{Table, median, ms};
use lab::redis::Redis;
use ledger_bench::engine::{Engine, fleet::Fleet};
use ledger_bench::people::{account, limits, rules};
use sms_otp::deadline::Deadline;
use sms_otp::ledger::{Answer as Admitted, Store};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const RUNS: u64 = 41;

const SAYS: &str = "A real server on loopback, so that what is counted is work and not distance. \
    First a fresh process that connects and decides, then a second decision on the same connection. \
    Round trips are counted by a proxy in between that sees the direction turn; each of them is \
    one way there and back on a real network, and the connection is made while the person types \
    his password.";

/// `None`: there is no server to be had.
pub fn measure() -> Option<Table> {
    let names = ["redis-server", "valkey-server"];
    let folders = [
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
        "/usr/local/sbin",
        "/usr/local/bin",
    ];
    let is_there = |folder: &str| {
        names
            .iter()
            .any(|name| std::fs::exists(format!("{folder}/{name}")).unwrap_or(false))
    };
    folders.into_iter().find(|folder| is_there(folder))?;
    let server = Redis::start();
    let mut table = Table::new("The fleet's ledger", SAYS, &["Redis on loopback", ""]);
    let said = (0..RUNS).map(|pair| {
        let people = [2 * pair, 2 * pair + 1];
        run(decide("fleet", &server.port().to_string(), &people)).1
    });
    let said: Vec<Said> = said.collect();
    let time = |decision: usize| {
        let times = said.iter().map(|said| match said.decisions.get(decision) {
            Some((Answer::Reserved, time)) => *time,
            other => panic!("no SMS was reserved: {other:?}"),
        });
        median(times.collect())
    };
    let opened = median(said.iter().map(|said| said.open).collect());
    table.row(
        "decision that waits for its connection",
        [ms(opened + time(0))],
    );
    table.row("decision on a connection that stands", [ms(time(1))]);
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

/// How often each step of a login turns from us to the server, the connection being made.
fn trips(server: u16) -> [(&'static str, u32); 3] {
    let turns = Arc::new(Mutex::new(Turns::default()));
    let mut store = Fleet::open(&proxy(server, &turns).to_string()).0;
    let by = Deadline::within(Duration::from_secs(30));
    let (limits, who) = (limits(), account(999));
    // Connects.
    store.standing("uid=nobody", by).expect("an answer");
    let count = || std::mem::take(&mut turns.lock().expect("the count").questions);
    count();
    let admission = store.admit(&who, rules(&limits), by).expect("an answer");
    assert!(
        matches!(admission.answer, Admitted::Reserved(_)),
        "{admission:?}"
    );
    let admit = count();
    store
        .begin_try(&who, rules(&limits), by)
        .expect("an answer")
        .expect("a try");
    let begin = count();
    store
        .succeed(&who, rules(&limits), 1, by)
        .expect("an answer");
    [
        ("`admit`: before the code is asked for", admit),
        ("`begin_try`: before it is compared", begin),
        ("`succeed`: when it was right", count()),
    ]
}

/// Which way the last bytes went.
#[derive(Default)]
struct Turns {
    asking: bool,
    questions: u32,
}

impl Turns {
    fn bytes(&mut self, ask: bool) {
        if ask && !self.asking {
            self.questions += 1;
        }
        self.asking = ask;
    }
}

/// Stands between a client and the server, and counts.
fn proxy(server: u16, turns: &Arc<Mutex<Turns>>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let turns = Arc::clone(turns);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).expect("the server");
            let (back, forth) = (server.try_clone(), client.try_clone());
            let (back, forth) = (back.expect("a copy"), forth.expect("a copy"));
            for (from, to, ask) in [(client, server, true), (back, forth, false)] {
                let turns = Arc::clone(&turns);
                thread::spawn(move || pass(from, to, ask, &turns));
            }
        }
    });
    port
}

fn pass(mut from: TcpStream, mut to: TcpStream, ask: bool, turns: &Mutex<Turns>) -> io::Result<()> {
    let mut piece = vec![0; 1 << 16];
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            return to.shutdown(Shutdown::Write);
        }
        turns.lock().expect("the count").bytes(ask);
        to.write_all(&piece[..length])?;
    }
}
