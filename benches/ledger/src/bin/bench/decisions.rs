//! One decision by a fresh process.

use crate::ENGINES;
use crate::ground::Ground;
use crate::program::{decide, run};
use crate::table::{Table, median, ms, ratio, thousands};
use std::time::Duration;

const RUNS: u64 = 41;
/// From a cold disk: each reads much.
const COLD: u64 = 15;
/// Between two people who decide, so that they stand far apart and have different phones.
const STRIDE: u64 = 7919;

const INSIDE: &str = "Opening, and one SMS reserved for a known person until it is on the disk: \
    measured in the process, a new one each time as a login's helper is. Median, as a multiple of \
    the floor, which locks, writes and syncs one record and decides nothing. *Cold*: nothing of \
    the files was in memory.";
const WHOLE: &str = "The same decisions from spawning the process to its end: what a login would \
    wait for, were it a process of its own (it is not: the helper runs anyway).";

/// How long each took, inside and as a whole.
struct Times {
    inside: Vec<Duration>,
    whole: Vec<Duration>,
}

pub fn measure(grounds: &[Ground]) -> [Table; 2] {
    let most = grounds.iter().map(|ground| ground.people).max();
    let most = most.unwrap_or(0);
    let mut columns: Vec<(String, Vec<Times>)> = Vec::new();
    for people in [1, 1000, most] {
        columns.push((
            thousands(people),
            rounds(&crate::of(grounds, people), RUNS, false),
        ));
    }
    let cold = rounds(&crate::of(grounds, most), COLD, true);
    columns.push((format!("{}, cold", thousands(most)), cold));
    let head: Vec<&str> = std::iter::once("known people")
        .chain(columns.iter().map(|(name, _)| name.as_str()))
        .collect();
    let mut inside = Table::new("One decision", INSIDE, &head);
    let mut whole = Table::new("One decision, the whole process", "", &head);
    for (place, engine) in ENGINES.iter().enumerate() {
        let cell = |of: fn(&Times) -> &Vec<Duration>| {
            let columns = columns.iter();
            columns.map(move |(_, times)| {
                let time = |place: usize| median(of(&times[place]).clone());
                ratio(time(place), time(0))
            })
        };
        inside.row(engine, cell(|times| &times.inside));
        whole.row(engine, cell(|times| &times.whole));
    }
    let alone = (0..RUNS).map(|person| run(decide("nothing", "", &[person])).0);
    let alone = ms(median(alone.collect()));
    whole.0.says = format!("{WHOLE} A process that keeps nothing takes {alone}.");
    [inside, whole]
}

/// All engines in turn, so that what disturbs one disturbs all.
fn rounds(grounds: &[&Ground], runs: u64, cold: bool) -> Vec<Times> {
    let none = || Times {
        inside: Vec::new(),
        whole: Vec::new(),
    };
    let mut all: Vec<Times> = grounds.iter().map(|_| none()).collect();
    for round in 0..runs {
        for (ground, times) in grounds.iter().zip(&mut all) {
            // Those who decide cold have not decided before.
            let place = if cold { round + RUNS } else { round };
            if ground.people < runs {
                ground.restore();
            }
            if cold {
                ground.forget();
            }
            let person = place * STRIDE % ground.people;
            let (whole, said) = run(decide(ground.engine, ground.place(), &[person]));
            times.inside.push(said.inside());
            times.whole.push(whole);
        }
    }
    all
}
