//! The program of every engine: waits for the start signal, opens the store, decides, and prints how
//! long each step took. Times are nanoseconds of `CLOCK_MONOTONIC` (`Instant`).
#![forbid(unsafe_code)]

use crate::engine::Engine;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

const USAGE: &str = "decide PATH USER... | fill PATH FROM TO";

/// Runs one engine's program with the arguments of [`USAGE`].
pub fn main<E: Engine>() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [verb, path, users @ ..] = args.as_slice() else {
        panic!("{USAGE}");
    };
    let users = users
        .iter()
        .map(|arg| arg.parse().expect("the index of a user"));
    match (verb.as_str(), users.collect::<Vec<u64>>().as_slice()) {
        ("decide", users) => decide::<E>(path, users),
        ("fill", [from, to]) => E::open(path).fill(*from..*to),
        _ => panic!("{USAGE}"),
    }
}

fn decide<E: Engine>(path: &str, users: &[u64]) {
    print_line("ready");
    // The starter closes the write end when all processes are ready.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    let begun = Instant::now();
    let mut engine = E::open(path);
    let mut lines = vec![format!("open {}", begun.elapsed().as_nanos())];
    for user in users {
        let begun = Instant::now();
        let answer = engine.decide(*user);
        let took = begun.elapsed().as_nanos();
        lines.push(match answer {
            Ok(true) => format!("reserved {took}"),
            Ok(false) => format!("refused {took}"),
            Err(error) => format!("failed {took} {error}"),
        });
    }
    lines.push(format!("memory {}", peak_memory()));
    print_line(&lines.join("\n"));
}

fn print_line(line: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").expect("a reader of stdout");
    out.flush().expect("a reader of stdout");
}

/// Returns the peak resident set size in bytes: `VmHWM` of proc_pid_status(5).
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap_or(0_u64) * 1024
}

/// Repeats an attempt until it succeeds or the time is over; returns whether it succeeded.
pub fn until(timeout: Duration, pause: Duration, mut attempt: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !attempt() {
        if begun.elapsed() > timeout {
            return false;
        }
        std::thread::sleep(pause);
    }
    true
}
