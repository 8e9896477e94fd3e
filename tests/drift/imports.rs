//! Imports run down the picture in `src/lib.rs`, and never sideways.

use super::{code, product, read};
use crate::Case;
use lab::Lab;
use std::collections::{BTreeMap, BTreeSet};

pub const CASES: &[Case] = &[
    ("drift::imports::run_down_only", run_down_only),
    ("drift::imports::are_read_right", are_read_right),
    (
        "drift::imports::every_room_is_in_the_picture",
        every_room_is_in_the_picture,
    ),
];

/// Each room, and those it may look into.
const PICTURE: &[(&str, &[&str])] = &[
    // Who runs.
    (
        "helper",
        &[
            "login",
            "verdict",
            "policy",
            "directory",
            "ledger",
            "sms",
            "auth_log",
            "config",
            // What is to be read before the walls are up.
            "net",
            "prefetch",
            "sys",
            "deadline",
            "failure",
            "id",
        ],
    ),
    (
        "admin",
        &[
            "directory",
            "ledger",
            "config",
            "sys",
            "deadline",
            "failure",
            "id",
        ],
    ),
    // One login.
    (
        "login",
        &[
            "auth_log",
            "verdict",
            "policy",
            "directory",
            "ledger",
            "code",
            "sms",
            "phone",
            "config",
            "prefetch",
            "deadline",
            "failure",
            "secret",
            "id",
        ],
    ),
    // It names the proofs that the rooms below make.
    (
        "verdict",
        &["policy", "directory", "code", "config", "failure", "id"],
    ),
    // Each knows one thing; none knows another.
    ("policy", &["config", "id"]),
    (
        "directory",
        &[
            "config", "deadline", "failure", "id", "net", "phone", "prefetch", "secret",
        ],
    ),
    (
        "ledger",
        &[
            "config", "deadline", "failure", "id", "net", "phone", "prefetch", "secret", "sys",
        ],
    ),
    ("code", &["deadline", "failure", "id", "secret"]),
    (
        "sms",
        &[
            "config", "deadline", "failure", "net", "phone", "prefetch", "secret",
        ],
    ),
    // It logs the results of others: the verdict, the SMS, the exemption; and counts lost lines in the
    // ledger.
    (
        "auth_log",
        &[
            "verdict", "policy", "ledger", "sms", "phone", "sys", "deadline", "failure", "id",
        ],
    ),
    // The ground. A setting may be a region of phones, or a secret; waiting for a connection is
    // bounded; a secret may go into a request.
    ("config", &["phone", "secret"]),
    ("net", &["deadline", "failure", "secret"]),
    ("prefetch", &["deadline", "sys"]),
    ("phone", &[]),
    ("deadline", &[]),
    ("failure", &[]),
    ("secret", &[]),
    ("id", &[]),
    // The machine's names are what policy asks for: it owns the trait.
    ("sys", &["policy"]),
];

/// Rooms that have a file of their own below `src/bin`.
const PROGRAMS: &[(&str, &str)] = &[
    ("src/bin/sms-otp-helper.rs", "helper"),
    ("src/bin/sms-otp.rs", "admin"),
];

fn run_down_only(_: &Lab) {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in product("src") {
        if path == "src/lib.rs" {
            continue;
        }
        if let Some((_, room)) = PROGRAMS.iter().find(|(program, _)| *program == path) {
            for line in code(&text)
                .lines()
                .filter(|line| line.contains("sms_otp::"))
            {
                // Besides its heap.
                let line = line.replace("sms_otp::sys::ZeroizingAllocator", "");
                let wanted = format!("sms_otp::{room}::");
                let fine = !line.contains("sms_otp::") || line.contains(&wanted);
                assert!(fine, "{path} looks past its room: {line}");
            }
            continue;
        }
        let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
        let depth = inner.split('/').count();
        let room = inner.split('/').next().expect("a room").to_owned();
        for other in rooms_in(&code(&text), depth) {
            if other != room {
                let allowed = PICTURE.iter().find(|(name, _)| *name == room);
                let (_, allowed) =
                    allowed.unwrap_or_else(|| panic!("{room} is not in the picture"));
                assert!(
                    allowed.contains(&other.as_str()),
                    "{path} looks into {other}: {room} may look into {allowed:?} only"
                );
                found.entry(room.clone()).or_default().insert(other);
            }
        }
    }
    for (room, allowed) in PICTURE {
        let used = found.remove(*room).unwrap_or_default();
        for other in *allowed {
            assert!(
                used.contains(*other),
                "{room} does not look into {other} any more"
            );
        }
    }
}

/// The rooms that this code names: behind `crate::`, and behind as many `super::` as lead there.
fn rooms_in(code: &str, depth: usize) -> BTreeSet<String> {
    let root = "super::".repeat(depth);
    let mut rooms = BTreeSet::new();
    for start in ["crate::", &root] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            rooms.extend(heads(&code[at + start.len()..]));
        }
    }
    // Fewer `super::` stay in the room, and more do not compile.
    rooms.retain(|room| room != "super" && room != "self");
    rooms
}

/// The first words of what is imported: of `{a::{b, c}, d}` they are a and d.
fn heads(text: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        let letters = text.trim_start().chars();
        letters
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = text.strip_prefix('{') else {
        return vec![word(text)];
    };
    let (mut level, mut heads, mut start) = (1, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => level += 1,
            '}' => level -= 1,
            ',' if level == 1 => {}
            _ => continue,
        }
        if level == 0 || (c == ',' && level == 1) {
            heads.push(word(&group[start..at]));
            start = at + 1;
        }
        if level == 0 {
            break;
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

fn are_read_right(_: &Lab) {
    let read = |code, depth| rooms_in(code, depth).into_iter().collect::<Vec<_>>();
    assert_eq!(
        read("use crate::{a::{x, y::z}, b, c::d,\n};", 1),
        ["a", "b", "c"]
    );
    assert_eq!(read("let x = crate::net::open();", 2), ["net"]);
    assert_eq!(
        read("use super::super::sys::WIRE; use super::near;", 2),
        ["sys"]
    );
    assert_eq!(read("use super::net;", 1), ["net"]);
    assert_eq!(read("pub(crate) use self::x; pub(in crate::y) z", 1), ["y"]);
    assert!(read("use other_crate::x;", 1).is_empty());
}

fn every_room_is_in_the_picture(_: &Lab) {
    let map = read("src/lib.rs");
    let picture: String = map.lines().filter(|line| line.starts_with("//!")).collect();
    let declared = map.lines().filter_map(|line| line.strip_prefix("pub mod "));
    let declared: BTreeSet<&str> = declared.map(|name| name.trim_end_matches(';')).collect();
    let table: BTreeSet<&str> = PICTURE.iter().map(|(room, _)| *room).collect();
    assert_eq!(declared, table);
    for room in declared {
        assert!(picture.contains(room), "the picture lacks {room}");
    }
}
