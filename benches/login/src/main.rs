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
    if std::env::args().nth(1).as_deref() == Some("crowd") {
        // To look at one thing; nothing is written down.
        crowd::measure(&ground, &all[1..])
            .into_iter()
            .for_each(show);
        return ExitCode::SUCCESS;
    }
    let mut rows = rows(&ground, &redis);
    rows.extend(peers.here.iter().map(Row::by_hand));
    let (found, picture) = trips::measure(&ground, &rows);
    found.into_iter().for_each(&mut show);
    match instructions::measure(&ground, &all) {
        Some(found) => found.into_iter().for_each(&mut show),
        None => eprintln!("instructions are left out: valgrind does not run a login here"),
    }
    match calls::measure(&ground, &ours) {
        Some(table) => show(table),
        None => eprintln!("system calls are left out: strace does not run a login here"),
    }
    let found = costs::measure(&ground, &peers, &all);
    found.into_iter().for_each(&mut show);
    let found = crowd::measure(&ground, &all[1..]);
    found.into_iter().for_each(&mut show);
    report::write(&tables, &picture);
    ExitCode::SUCCESS
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
