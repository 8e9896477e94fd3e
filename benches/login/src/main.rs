//! What one login costs, beside other modules on the same servers in the same run: round trips,
//! instructions, time, memory, system calls, bytes, and how many go at once.
//!
//! Nothing passes or fails by its time.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "it measures: it reads clocks and files, and says why when it cannot go on"
)]

mod calls;
mod contender;
mod costs;
mod crowd;
mod ground;
mod host;
mod instructions;
mod ours;
mod peers;
mod plot;
mod report;
mod road;
mod trips;

use contender::Contender;
use ground::Ground;
use lab::redis::Redis;
use lab::table::Table;
use peers::Peers;
use std::process::ExitCode;
use trips::Row;

fn main() -> ExitCode {
    let ground = match Ground::enter() {
        Ok(ground) => ground,
        Err(why) => {
            eprintln!("The bench needs a machine of its own: {why}. Run it as root.");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", report::head());
    let mut tables = Vec::new();
    let mut show = |table: Table| {
        println!("{table}");
        tables.push(table);
    };
    let redis = ours::redis(&ground);
    let peers = Peers::start(&ground);
    for (name, why) in &peers.missing {
        eprintln!("{name} is left out: {why}");
    }
    let (permit, ours) = (ours::permit(&ground), ours::module(&ground));
    let fleet = ours::fleet(&ground, &redis);
    let bundle = ours::with_system_bundle(&ground);
    let all: Vec<&Contender> = [&permit, &ours, &fleet, &bundle]
        .into_iter()
        .chain(&peers.here)
        .collect();
    if let Some(what) = std::env::args().nth(1) {
        // To look at one thing; nothing is written down.
        return match one(&ground, &peers, &all, &what) {
            Ok(found) => {
                found.into_iter().for_each(show);
                ExitCode::SUCCESS
            }
            Err(why) => refuse(&why),
        };
    }
    let mut rows = rows(&ground, &redis);
    rows.extend(peers.here.iter().map(Row::by_hand));
    let (found, picture) = trips::measure(&ground, &rows);
    found.into_iter().for_each(&mut show);
    for what in ["instructions", "calls", "costs", "crowd"] {
        match one(&ground, &peers, &all, what) {
            Ok(found) => found.into_iter().for_each(&mut show),
            Err(why) => return refuse(&why),
        }
    }
    report::write(&tables, &picture);
    ExitCode::SUCCESS
}

/// Figures that are not true are worse than none.
fn refuse(why: &str) -> ExitCode {
    eprintln!("nothing is written: {why}");
    ExitCode::FAILURE
}

/// One part of what is measured. `all` begins with what does nothing, and with ours.
fn one(
    ground: &Ground,
    peers: &Peers,
    all: &[&Contender],
    what: &str,
) -> Result<Vec<Table>, String> {
    match what {
        "instructions" => instructions::measure(ground, all),
        "calls" => calls::measure(ground, all[1]).map(|table| vec![table]),
        "own" => Ok(costs::measure(ground, peers, &all[..2])),
        "costs" => Ok(costs::measure(ground, peers, all)),
        "crowd" => Ok(crowd::measure(ground, &all[1..])),
        _ => Err(format!(
            "{what} is none of instructions, calls, own, costs, crowd"
        )),
    }
}

/// Whose round trips are counted.
fn rows(ground: &Ground, redis: &Redis) -> Vec<Row> {
    let ours = ours::module(ground);
    let by_key = ours::by_key(ground);
    vec![
        Row::by_hand(&ours),
        Row::by_hand(&ours::fleet(ground, redis)),
        Row::by_hand(&ours::without_preconnect(ground)),
        Row::at_once("pam_sms_otp, password pasted", &ours),
        Row::at_once(by_key.name, &by_key),
    ]
}
