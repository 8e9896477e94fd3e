//! Hostile hosts, callers and servers, and failing networks: each claim of the threat model has a run here.

mod caller;
mod deadlines;
mod dns;
mod ending;
mod exhausted;
mod failover;
mod faults;
mod first_acts;
mod hurt;
mod intermediate;
mod keys;
mod libraries;
mod limits;
mod loopback_port;
mod memory;
mod misbehaved;
mod names;
mod neighbour;
mod prefetch;
mod races;
mod refused;
pub mod sandbox;
mod stacks;
mod stopped;
mod syscalls;
mod timing;
mod trap;
mod untraceable;
mod untrusted_text;
mod variables;
mod written;

use crate::Case;

/// Whether the long forms are requested (`make torture`).
pub fn torture() -> bool {
    std::env::var_os("TORTURE").is_some()
}

pub fn cases() -> Vec<Case> {
    [
        caller::CASES,
        deadlines::CASES,
        dns::CASES,
        ending::CASES,
        exhausted::CASES,
        failover::CASES,
        faults::CASES,
        first_acts::CASES,
        hurt::CASES,
        intermediate::CASES,
        keys::CASES,
        libraries::CASES,
        limits::CASES,
        loopback_port::CASES,
        memory::CASES,
        misbehaved::CASES,
        names::CASES,
        neighbour::CASES,
        prefetch::CASES,
        races::CASES,
        refused::CASES,
        stacks::CASES,
        stopped::CASES,
        syscalls::CASES,
        timing::CASES,
        untraceable::CASES,
        variables::CASES,
        sandbox::CASES,
        untrusted_text::CASES,
        written::CASES,
    ]
    .concat()
}
