//! The state of a process that a module could leave changed.
#![forbid(unsafe_code)]

use super::process_state;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};

/// The state of a process: descriptors, children, threads, signals, limits, timers, scheduling,
/// environment and more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    facts: BTreeMap<String, String>,
}

impl Snapshot {
    /// Takes one of the calling process. `descriptor` borrows a descriptor by its number.
    pub fn take(descriptor: impl Fn(i32) -> BorrowedFd<'static>) -> Self {
        let mut facts = process_state::facts();
        for (number, link) in descriptors() {
            let peer = if link.starts_with("socket:") {
                peer(descriptor(number).as_fd())
            } else {
                None
            };
            facts.insert(format!("descriptor {number}"), peer.unwrap_or(link));
        }
        // Of the calling thread: some of these are per thread.
        let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let wanted = [
            "Umask",
            "Uid",
            "Gid",
            "Groups",
            "Threads",
            "NoNewPrivs",
            "Seccomp",
            "SigBlk",
            "SigIgn",
            "SigCgt",
            "SigPnd",
            "ShdPnd",
            "CapInh",
            "CapPrm",
            "CapEff",
            "CapBnd",
            "CapAmb",
            "Speculation_Store_Bypass",
        ];
        for line in status.lines() {
            if let Some((name, value)) =
                line.split_once(':').filter(|pair| wanted.contains(&pair.0))
            {
                facts.insert(name.to_owned(), value.trim().to_owned());
            }
        }
        for file in [
            "limits",
            "timers",
            "oom_score_adj",
            "coredump_filter",
            "personality",
        ] {
            let text = fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
            facts.insert(file.to_owned(), text);
        }
        let children: String = fs::read_dir("/proc/self/task")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
            .collect();
        facts.insert("children".to_owned(), children);
        for (name, value) in std::env::vars_os() {
            let name = format!("variable {}", name.to_string_lossy());
            facts.insert(name, value.to_string_lossy().into_owned());
        }
        let folder = std::env::current_dir().unwrap_or_default();
        facts.insert("folder".to_owned(), folder.display().to_string());
        let root = fs::read_link("/proc/self/root").unwrap_or_default();
        facts.insert("root".to_owned(), root.display().to_string());
        Self { facts }
    }

    /// Returns the differences, one line each. libc's own connection to syslog is ignored.
    pub fn changes(&self, after: &Self) -> Vec<String> {
        let names: std::collections::BTreeSet<&String> =
            self.facts.keys().chain(after.facts.keys()).collect();
        names
            .into_iter()
            .filter(|name| self.facts.get(*name) != after.facts.get(*name))
            .filter(|name| after.facts.get(*name).map(String::as_str) != Some("to /dev/log"))
            .map(|name| {
                format!(
                    "{name}: {:?}, then {:?}",
                    self.facts.get(name),
                    after.facts.get(name)
                )
            })
            .collect()
    }

    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(String::as_str)
    }

    pub(super) fn to_json(&self) -> Value {
        json!(self.facts)
    }

    pub(super) fn from_json(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let facts = value.as_object().into_iter().flatten();
        Self {
            facts: facts
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
        }
    }
}

fn descriptors() -> Vec<(i32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
    {
        // The descriptor of the directory itself is closed by now.
        let Ok(link) = fs::read_link(entry.path()) else {
            continue;
        };
        let link = link.display().to_string();
        let own = link.starts_with("/proc/") && link.ends_with("/fd");
        if let (Some(number), false) =
            (entry.file_name().to_str().and_then(|n| n.parse().ok()), own)
        {
            found.push((number, link));
        }
    }
    found
}

/// Returns the peer of a connected socket if it is a path.
fn peer(socket: BorrowedFd<'_>) -> Option<String> {
    let address = rustix::net::getpeername(socket).ok()??;
    let address = rustix::net::SocketAddrUnix::try_from(address).ok()?;
    Some(format!("to {}", address.path()?.to_string_lossy()))
}
