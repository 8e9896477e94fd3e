//! Measures the cost of one login, compared with other modules on the same servers in the same run: round
//! trips, instructions, time, memory, system calls, bytes, and throughput.
//!
//! No time makes the benchmark fail.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark reads clocks and files, and panics if it cannot continue"
)]

mod contender;
mod instructions;
mod network;
mod ours;
mod peers;
mod plot;
mod report;
mod resources;
mod round_trips;
mod run;
mod syscalls;
mod testbed;
mod throughput;
mod totp;

use contender::Contender;
use lab::redis::Redis;
use lab::table::Table;
use peers::Peers;
use round_trips::Row;
use std::process::ExitCode;
use testbed::Testbed;

fn main() -> ExitCode {
    let testbed = match Testbed::enter() {
        Ok(testbed) => testbed,
        Err(reason) => {
            eprintln!("The bench needs namespaces of its own: {reason}. Run it as root.");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", report::head());
    let mut tables = Vec::new();
    let mut show = |table: Table| {
        println!("{table}");
        tables.push(table);
    };
    let redis = ours::redis(&testbed);
    let peers = Peers::start(&testbed);
    for (name, reason) in &peers.missing {
        eprintln!("{name} is left out: {reason}");
    }
    let (permit, ours) = (ours::permit(&testbed), ours::module(&testbed));
    let shared = ours::redis_ledger(&testbed, &redis);
    let bundle = ours::with_system_bundle(&testbed);
    let all: Vec<&Contender> = [&permit, &ours, &shared, &bundle]
        .into_iter()
        .chain(&peers.contenders)
        .collect();
    if let Some(part) = std::env::args().nth(1) {
        // One part is only shown; no report is written.
        return match measure(&testbed, &peers, &all, &part) {
            Ok(found) => {
                found.into_iter().for_each(show);
                ExitCode::SUCCESS
            }
            Err(reason) => fail(&reason),
        };
    }
    let mut rows = rows(&testbed, &redis);
    rows.extend(peers.contenders.iter().map(Row::by_hand));
    let (found, picture) = round_trips::measure(&testbed, &rows);
    found.into_iter().for_each(&mut show);
    for part in ["instructions", "syscalls", "resources", "throughput"] {
        match measure(&testbed, &peers, &all, part) {
            Ok(found) => found.into_iter().for_each(&mut show),
            Err(reason) => return fail(&reason),
        }
    }
    report::write(&tables, &picture);
    ExitCode::SUCCESS
}

/// Reports why no figures are written: wrong ones are worse than none.
fn fail(reason: &str) -> ExitCode {
    eprintln!("no report is written: {reason}");
    ExitCode::FAILURE
}

/// Measures one part. The first of `all` has to be the empty contender, the second one ours.
fn measure(
    testbed: &Testbed,
    peers: &Peers,
    all: &[&Contender],
    part: &str,
) -> Result<Vec<Table>, String> {
    match part {
        "instructions" => instructions::measure(testbed, all),
        "syscalls" => syscalls::measure(testbed, all[1]).map(|table| vec![table]),
        "own" => Ok(resources::measure(testbed, peers, &all[..2])),
        "resources" => Ok(resources::measure(testbed, peers, all)),
        "throughput" => Ok(throughput::measure(testbed, &all[1..])),
        _ => Err(format!(
            "{part} is none of instructions, syscalls, own, resources, throughput"
        )),
    }
}

/// Returns the rows of the tables of round trips that use this module.
fn rows(testbed: &Testbed, redis: &Redis) -> Vec<Row> {
    let ours = ours::module(testbed);
    let by_key = ours::by_key(testbed);
    vec![
        Row::by_hand(&ours),
        Row::by_hand(&ours::redis_ledger(testbed, redis)),
        Row::by_hand(&ours::without_preconnect(testbed)),
        Row::at_once("pam_sms_otp, password pasted", &ours),
        Row::at_once(by_key.name, &by_key),
    ]
}
