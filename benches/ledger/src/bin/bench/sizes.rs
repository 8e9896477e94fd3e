//! How much room each takes: on the disk, in memory, in the program; and how often it asks the kernel.

use crate::ENGINES;
use crate::ground::Ground;
use crate::program::{decide, path, run};
use crate::still;
use crate::table::{Table, bytes, digits, median, thousands};
use std::path::Path;

const RUNS: u64 = 9;

const ON_DISK: &str = "Allocated blocks, as du counts them; as a multiple of the floor, which is 512 \
    bytes for each person. People are known by one number and have no SMS in any window; of the \
    most people, some have, who decided above.";
const IN_MEMORY: &str = "The most that was resident in a deciding process (a mapped file's pages are \
    counted with it); what the engine adds to a stripped release program, beside one that keeps \
    nothing; and the system calls of one whole process. Among 1,000 known people.";

pub fn on_disk(grounds: &[Ground]) -> Table {
    let mut sizes: Vec<u64> = grounds.iter().map(|ground| ground.people).collect();
    sizes.dedup();
    let names: Vec<String> = sizes.iter().map(|people| thousands(*people)).collect();
    let mut head = vec!["known people"];
    head.extend(names.iter().map(String::as_str));
    head.push("a person");
    let mut table = Table::new("On the disk", ON_DISK, &head);
    for engine in ENGINES {
        let room = |people: u64, of: &str| {
            let mut all = grounds.iter();
            let ground = all.find(|ground| ground.people == people && ground.engine == of);
            ground.map_or(0, Ground::room)
        };
        let cell = |people: &u64| {
            let (own, floor) = (room(*people, engine), room(*people, "floor"));
            let ratio = own as f64 / floor.max(1) as f64;
            format!("{} × ({})", digits(ratio), bytes(own))
        };
        let most = sizes.last().copied().unwrap_or(1);
        let each = room(most, engine) / most;
        let cells = sizes.iter().map(cell);
        table.row(engine, cells.chain([format!("{each} B")]));
    }
    table
}

pub fn in_memory(grounds: &[&Ground], traces: bool, disk: &Path) -> Table {
    let head = ["", "resident", "added to the program", "system calls"];
    let mut table = Table::new("In memory, in the program, in the kernel", IN_MEMORY, &head);
    let size = |engine: &str| path(engine).metadata().map_or(0, |data| data.len());
    let bare = size("nothing");
    let mut row = |engine: &str, place: &str| {
        let memory = (1..=RUNS).map(|person| run(decide(engine, place, &[person])).1.memory);
        let memory = bytes(median(memory.collect()));
        let added = bytes(size(engine).saturating_sub(bare));
        let calls = if traces {
            still::calls(&decide(engine, place, &[0]), &disk.join("strace")).to_string()
        } else {
            "not counted".to_owned()
        };
        table.row(engine, [memory, added, calls]);
    };
    row("nothing", "");
    for ground in grounds {
        ground.restore();
        row(ground.engine, ground.place());
    }
    table
}
