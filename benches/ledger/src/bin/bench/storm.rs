//! A hundred processes at once.

use crate::ground::Ground;
use crate::program::{Answer, at_once, decide};
use crate::table::{Table, median, ratio};
use std::time::Duration;

const PROCESSES: u64 = 100;
const RUNS: usize = 3;

const SAYS: &str = "A hundred processes, each a login's, are ready and get the word at the same \
    moment. Time until the last has ended, as a multiple of the floor; and how long the process in \
    the middle took from opening to its answer. Among 1,000 known people. The limit is five SMS for \
    one person; the floor counts nothing.";

pub fn measure(grounds: &[&Ground]) -> Table {
    let head = [
        "100 at once",
        "on one person: all",
        "the one in the middle",
        "SMS reserved, failed",
        "on 100 people: all",
        "the one in the middle",
        "SMS reserved, failed",
    ];
    let mut table = Table::new("A hundred at once", SAYS, &head);
    let mut floor = Vec::new();
    for ground in grounds {
        let mut cells = Vec::new();
        for (column, spread) in [0, 1].into_iter().enumerate() {
            let (all, middle, counted) = storms(ground, spread);
            if floor.len() <= column {
                floor.push((all, middle));
            }
            cells.push(ratio(all, floor[column].0));
            cells.push(ratio(middle, floor[column].1));
            cells.push(counted);
        }
        table.row(ground.engine, cells);
    }
    table
}

fn storms(ground: &Ground, spread: u64) -> (Duration, Duration, String) {
    let (mut alls, mut each) = (Vec::new(), Vec::new());
    let mut counts = Vec::new();
    for _ in 0..RUNS {
        ground.restore();
        let one = |process| decide(ground.engine, ground.place(), &[process * spread]);
        let (all, said) = at_once((0..PROCESSES).map(one).collect());
        alls.push(all);
        let decisions = || said.iter().flat_map(|said| &said.decisions);
        each.extend(said.iter().flat_map(|said| {
            let times = said.decisions.iter();
            times.map(|(_, time)| said.open + *time)
        }));
        let count = |so: fn(&Answer) -> bool| decisions().filter(|(answer, _)| so(answer)).count();
        let reserved = count(|answer| *answer == Answer::Reserved);
        let failed = count(|answer| matches!(answer, Answer::Failed(_)));
        counts.push((reserved, failed));
    }
    let counted = match (counts.iter().min(), counts.iter().max()) {
        (Some(least), Some(most)) if least != most => {
            format!("{} to {}, {} to {}", least.0, most.0, least.1, most.1)
        }
        (Some((reserved, failed)), _) => format!("{reserved}, {failed}"),
        _ => String::new(),
    };
    (median(alls), median(each), counted)
}
