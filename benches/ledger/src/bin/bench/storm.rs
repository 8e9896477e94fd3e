//! Measures a hundred processes at the same time.

use crate::data_dir::DataDir;
use crate::program::{Answer, at_once, decide};
use crate::table::{Table, median, ratio};
use std::time::Duration;

const PROCESSES: u64 = 100;
const RUNS: usize = 3;

const CAPTION: &str = "A hundred processes, as of a hundred logins, start their decision at the same \
    moment. *All*: the time until the last one has exited, as a multiple of the floor. *Median*: the \
    time of one process from opening the store to its result. With 1,000 known users. The limit is \
    five SMS for one user; the floor checks no limit.";

pub fn measure(data_dirs: &[&DataDir]) -> Table {
    let head = [
        "100 at once",
        "one user: all",
        "median",
        "SMS reserved, failed",
        "100 users: all",
        "median",
        "SMS reserved, failed",
    ];
    let mut table = Table::new("A hundred at once", CAPTION, &head);
    let mut floor = Vec::new();
    for data_dir in data_dirs {
        let mut cells = Vec::new();
        for (column, spread) in [0, 1].into_iter().enumerate() {
            let (all, middle, counts) = run_storms(data_dir, spread);
            if floor.len() <= column {
                floor.push((all, middle));
            }
            cells.push(ratio(all, floor[column].0));
            cells.push(ratio(middle, floor[column].1));
            cells.push(counts);
        }
        table.row(data_dir.engine, cells);
    }
    table
}

fn run_storms(data_dir: &DataDir, spread: u64) -> (Duration, Duration, String) {
    let (mut alls, mut each) = (Vec::new(), Vec::new());
    let mut counts = Vec::new();
    for _ in 0..RUNS {
        data_dir.restore();
        let one = |process| decide(data_dir.engine, data_dir.path(), &[process * spread]);
        let (all, reports) = at_once((0..PROCESSES).map(one).collect());
        alls.push(all);
        let decisions = || reports.iter().flat_map(|report| &report.decisions);
        each.extend(reports.iter().flat_map(|report| {
            let times = report.decisions.iter();
            times.map(|(_, time)| report.open + *time)
        }));
        let count = |is: fn(&Answer) -> bool| decisions().filter(|(answer, _)| is(answer)).count();
        let reserved = count(|answer| *answer == Answer::Reserved);
        let failed = count(|answer| matches!(answer, Answer::Failed(_)));
        counts.push((reserved, failed));
    }
    let counts = match (counts.iter().min(), counts.iter().max()) {
        (Some(least), Some(most)) if least != most => {
            format!("{} to {}, {} to {}", least.0, most.0, least.1, most.1)
        }
        (Some((reserved, failed)), _) => format!("{reserved}, {failed}"),
        _ => String::new(),
    };
    (median(alls), median(each), counts)
}
