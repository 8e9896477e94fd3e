//! Measures sizes on the disk, in memory and of the programs, and counts system calls.

use crate::ENGINES;
use crate::data_dir::DataDir;
use crate::program::{decide, program_path, run};
use crate::stopped;
use crate::table::{Table, bytes, digits, median, thousands};
use std::path::Path;

const RUNS: u64 = 9;

const ON_DISK: &str = "Allocated blocks, as du(1) counts them, as a multiple of the floor, which is 512 \
    bytes for each user. A user has one known phone number and no SMS in any window; in the largest \
    column some users have SMS from the decisions above.";
const IN_MEMORY: &str = "The peak resident set size of a deciding process (which includes the pages of a \
    mapped file); the size that the engine adds to a stripped release program that stores nothing; \
    and the system calls of one whole process. With 1,000 known users.";

pub fn on_disk(data_dirs: &[DataDir]) -> Table {
    let mut sizes: Vec<u64> = data_dirs.iter().map(|data_dir| data_dir.users).collect();
    sizes.dedup();
    let names: Vec<String> = sizes.iter().map(|users| thousands(*users)).collect();
    let mut head = vec!["known users"];
    head.extend(names.iter().map(String::as_str));
    head.push("per user");
    let mut table = Table::new("On the disk", ON_DISK, &head);
    for engine in ENGINES {
        let allocated = |users: u64, of: &str| {
            let mut all = data_dirs.iter();
            let data_dir = all.find(|data_dir| data_dir.users == users && data_dir.engine == of);
            data_dir.map_or(0, DataDir::allocated)
        };
        let cell = |users: &u64| {
            let (own, floor) = (allocated(*users, engine), allocated(*users, "floor"));
            let ratio = own as f64 / floor.max(1) as f64;
            format!("{} × ({})", digits(ratio), bytes(own))
        };
        let max = sizes.last().copied().unwrap_or(1);
        let each = allocated(max, engine) / max;
        let cells = sizes.iter().map(cell);
        table.row(engine, cells.chain([format!("{each} B")]));
    }
    table
}

pub fn in_memory(data_dirs: &[&DataDir], can_trace: bool, disk: &Path) -> Table {
    let head = ["", "resident", "added to the program", "system calls"];
    let mut table = Table::new("In memory, in the program, in the kernel", IN_MEMORY, &head);
    let size = |engine: &str| program_path(engine).metadata().map_or(0, |data| data.len());
    let bare = size("noop");
    let mut row = |engine: &str, path: &str| {
        let memory = (1..=RUNS).map(|user| run(decide(engine, path, &[user])).1.memory);
        let memory = bytes(median(memory.collect()));
        let added = bytes(size(engine).saturating_sub(bare));
        let calls = if can_trace {
            stopped::calls(&decide(engine, path, &[0]), &disk.join("strace")).to_string()
        } else {
            "not counted".to_owned()
        };
        table.row(engine, [memory, added, calls]);
    };
    row("noop", "");
    for data_dir in data_dirs {
        data_dir.restore();
        row(data_dir.engine, data_dir.path());
    }
    table
}
