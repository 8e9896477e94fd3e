//! Rules of the house that no lint holds: where `unsafe` may stand, and what files are called.

use super::{product, repository, sources};
use crate::Case;
use lab::Lab;
use std::path::Path;

pub const CASES: &[Case] = &[
    (
        "drift::conventions::unsafe_has_its_rooms",
        unsafe_has_its_rooms,
    ),
    (
        "drift::conventions::unsafe_has_its_reasons",
        unsafe_has_its_reasons,
    ),
    (
        "drift::conventions::files_are_called_what_they_are",
        files_are_called_what_they_are,
    ),
    (
        "drift::conventions::no_text_holds_debug_output",
        no_text_holds_debug_output,
    ),
];

const FORBID: &str = "#![forbid(unsafe_code)]";

/// Where `unsafe` may stand: the room of system calls, and what speaks to libpam and forks. `lib.rs`
/// lies above them, and a `forbid` there would hold below.
const MAY: &[&str] = &[
    "src/lib.rs",
    "src/sys.rs",
    "src/sys/heap.rs",
    "src/sys/machine.rs",
    "src/sys/nss.rs",
    "src/sys/process.rs",
    "src/sys/sandbox.rs",
    "src/sys/sandbox/landlock.rs",
    "src/sys/sandbox/seccomp.rs",
    "src/sys/sandbox/seccomp/tests.rs",
    "src/sys/set_id.rs",
    "src/sys/shared.rs",
    "module/src/child.rs",
    "module/src/handle_state.rs",
    "module/src/helper.rs",
    "module/src/lib.rs",
    "module/src/libpam.rs",
    "module/src/spawn.rs",
    "module/src/spawn/descriptors.rs",
    "module/src/spawn/exec.rs",
    "module/src/spawn/failure.rs",
    "module/src/spawn/inherited.rs",
    "module/src/spawn/intermediate.rs",
    "module/src/system.rs",
];

fn is_top(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["src", _] | ["src", "bin", _] | ["module", "src", _] => true,
        [_, "src", file] => *file == "lib.rs",
        _ => false,
    }
}

fn unsafe_has_its_rooms(_: &Lab) {
    for folder in ["src", "module/src", "protocol/src", "safe-path/src"] {
        for (path, text) in sources(folder) {
            let may = MAY.contains(&path.as_str());
            if !may && is_top(&path) {
                let forbids = text.lines().any(|line| line == FORBID);
                assert!(forbids, "{path} lacks {FORBID}");
            }
            if !may {
                let line = text.lines().find(|line| is_unsafe(line));
                assert!(line.is_none(), "unsafe in {path}: {line:?}");
            }
        }
    }
}

/// Whether a line of code says `unsafe`.
fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word == "unsafe")
}

fn unsafe_has_its_reasons(_: &Lab) {
    for path in MAY {
        let text = super::read(path);
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if !is_unsafe(line) {
                continue;
            }
            // On the same line, or right above the statement that it stands in. An unsafe function
            // says what its callers have to see to.
            let above = lines[..at].iter().rev().take(8);
            let mut above = above.take_while(|line| !line.trim().is_empty());
            let wanted = if line.contains("unsafe fn ") {
                "# Safety"
            } else {
                "SAFETY:"
            };
            let reasoned = line.contains(wanted) || above.any(|line| line.contains(wanted));
            assert!(
                reasoned,
                "{path}:{}: unsafe without {wanted}: {line}",
                at + 1
            );
        }
    }
}

fn files_are_called_what_they_are(_: &Lab) {
    let bad = [
        "mod", "util", "utils", "common", "helpers", "types", "manager",
    ];
    for folder in [
        "src",
        "module",
        "protocol",
        "safe-path",
        "tests",
        "fuzz",
        "benches",
    ] {
        if !repository().join(folder).is_dir() {
            continue;
        }
        for (path, _) in sources(folder) {
            let parts = Path::new(&path).with_extension("");
            let is_bad = |part: &std::ffi::OsStr| bad.iter().any(|bad| part == *bad);
            assert!(!parts.iter().any(is_bad), "{path} says nothing by its name");
        }
    }
}

/// `Debug` is for programmers: it shows names of types, and changes with each version of a library.
fn no_text_holds_debug_output(_: &Lab) {
    // A key that is hashed, and what only tests run.
    let may = ["src/policy/origin.rs", "src/directory/stage.rs"];
    for folder in ["src", "module/src", "protocol/src", "safe-path/src"] {
        for (path, text) in product(folder) {
            let is_for_tests = path.contains("properties")
                || path.contains("conform")
                || may.contains(&path.as_str());
            let line = super::code(&text);
            let line = line.lines().find(|line| line.contains(":?}"));
            assert!(is_for_tests || line.is_none(), "{path}: {line:?}");
        }
    }
}
