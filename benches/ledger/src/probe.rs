//! What every engine's program does: it waits for the word, opens, decides, and says how long each
//! took. Times are nanoseconds by `CLOCK_MONOTONIC` (`Instant`).
#![forbid(unsafe_code)]

use crate::engine::Engine;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// `decide PLACE PERSON...` or `fill PLACE FROM TO`.
pub fn main<E: Engine>() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [verb, place, people @ ..] = words.as_slice() else {
        panic!("decide PLACE PERSON... | fill PLACE FROM TO");
    };
    let people = people
        .iter()
        .map(|word| word.parse().expect("a person's number"));
    match (verb.as_str(), people.collect::<Vec<u64>>().as_slice()) {
        ("decide", people) => decide::<E>(place, people),
        ("fill", [from, to]) => E::open(place).fill(*from..*to),
        _ => panic!("decide PLACE PERSON... | fill PLACE FROM TO"),
    }
}

fn decide<E: Engine>(place: &str, people: &[u64]) {
    say("ready");
    // Over as soon as whoever starts many lets go of the other end.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    let begun = Instant::now();
    let mut engine = E::open(place);
    let mut said = vec![format!("open {}", begun.elapsed().as_nanos())];
    for person in people {
        let begun = Instant::now();
        let answer = engine.decide(*person);
        let took = begun.elapsed().as_nanos();
        said.push(match answer {
            Ok(true) => format!("reserved {took}"),
            Ok(false) => format!("refused {took}"),
            Err(why) => format!("failed {took} {why}"),
        });
    }
    said.push(format!("memory {}", most_memory()));
    say(&said.join("\n"));
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").expect("somebody listens");
    out.flush().expect("somebody listens");
}

/// The most that was resident, in bytes: `VmHWM` in proc_pid_status(5).
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap_or(0_u64) * 1024
}

/// Tries until it works, or says that it does not.
pub fn until(most: Duration, pause: Duration, mut works: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !works() {
        if begun.elapsed() > most {
            return false;
        }
        std::thread::sleep(pause);
    }
    true
}
