//! Measures one decision by a new process.

use crate::ENGINES;
use crate::data_dir::DataDir;
use crate::program::{decide, run};
use crate::table::{Table, median, ms, ratio, thousands};
use std::time::Duration;

const RUNS: u64 = 41;
/// With a cold page cache: fewer runs, because each reads many pages.
const COLD_RUNS: u64 = 15;
/// The distance between the indexes of two measured users, so that their rows are far apart and their
/// phones differ.
const STRIDE: u64 = 7919;

const INSIDE: &str = "Opening the store and reserving one SMS for a known user, up to the sync, \
    measured inside the process, a new one for each decision as a login's helper is. Median, as a \
    multiple of the floor, which locks, writes and syncs one record and checks no limit. *Cold*: \
    no page of the files was cached.";
const WHOLE: &str = "The same decisions from the start of the process to its exit: how long a login \
    would wait if the ledger were a separate process (it is not: the helper runs anyway).";

/// The times of all runs, measured inside the process and from its start to its exit.
struct Times {
    inside: Vec<Duration>,
    whole: Vec<Duration>,
}

pub fn measure(data_dirs: &[DataDir]) -> [Table; 2] {
    let max = data_dirs.iter().map(|data_dir| data_dir.users).max();
    let max = max.unwrap_or(0);
    let mut columns: Vec<(String, Vec<Times>)> = Vec::new();
    for users in [1, 1000, max] {
        columns.push((
            thousands(users),
            rounds(&crate::of(data_dirs, users), RUNS, false),
        ));
    }
    let cold = rounds(&crate::of(data_dirs, max), COLD_RUNS, true);
    columns.push((format!("{}, cold", thousands(max)), cold));
    let head: Vec<&str> = std::iter::once("known users")
        .chain(columns.iter().map(|(name, _)| name.as_str()))
        .collect();
    let mut inside = Table::new("One decision", INSIDE, &head);
    let mut whole = Table::new("One decision, the whole process", "", &head);
    for (index, engine) in ENGINES.iter().enumerate() {
        let cell = |of: fn(&Times) -> &Vec<Duration>| {
            let columns = columns.iter();
            columns.map(move |(_, times)| {
                let time = |index: usize| median(of(&times[index]).clone());
                ratio(time(index), time(0))
            })
        };
        inside.row(engine, cell(|times| &times.inside));
        whole.row(engine, cell(|times| &times.whole));
    }
    let alone = (0..RUNS).map(|user| run(decide("noop", "", &[user])).0);
    let alone = ms(median(alone.collect()));
    whole.0.caption = format!("{WHOLE} A process that stores nothing takes {alone}.");
    [inside, whole]
}

/// Runs all engines in turn, so that a disturbance affects all of them.
fn rounds(data_dirs: &[&DataDir], runs: u64, cold: bool) -> Vec<Times> {
    let none = || Times {
        inside: Vec::new(),
        whole: Vec::new(),
    };
    let mut all: Vec<Times> = data_dirs.iter().map(|_| none()).collect();
    for round in 0..runs {
        for (data_dir, times) in data_dirs.iter().zip(&mut all) {
            // A cold run takes a user who has not decided before.
            let index = if cold { round + RUNS } else { round };
            if data_dir.users < runs {
                data_dir.restore();
            }
            if cold {
                data_dir.drop_page_cache();
            }
            let user = index * STRIDE % data_dir.users;
            let (whole, report) = run(decide(data_dir.engine, data_dir.path(), &[user]));
            times.inside.push(report.inside());
            times.whole.push(whole);
        }
    }
    all
}
