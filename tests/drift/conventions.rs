//! Conventions that no lint checks: where `unsafe` is allowed, names of files, texts.

use super::{product, repository, sources};
use crate::Case;
use lab::Lab;
use std::path::Path;

pub const CASES: &[Case] = &[
    (
        "drift::conventions::unsafe_is_only_where_it_is_allowed",
        unsafe_is_only_where_it_is_allowed,
    ),
    (
        "drift::conventions::every_unsafe_has_a_reason",
        every_unsafe_has_a_reason,
    ),
    (
        "drift::conventions::file_names_are_specific",
        file_names_are_specific,
    ),
    (
        "drift::conventions::no_text_contains_debug_output",
        no_text_contains_debug_output,
    ),
];

const FORBID: &str = "#![forbid(unsafe_code)]";

/// Files with `unsafe`: system calls, libpam, and starting the helper. A `forbid` in `lib.rs` would apply to them
/// too.
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

fn unsafe_is_only_where_it_is_allowed(_: &Lab) {
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

/// Whether a line of code contains `unsafe`.
fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word == "unsafe")
}

fn every_unsafe_has_a_reason(_: &Lab) {
    for path in MAY {
        let text = super::read(path);
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if !is_unsafe(line) {
                continue;
            }
            // On the same line, or above the statement. An unsafe function documents what its callers must
            // ensure.
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

fn file_names_are_specific(_: &Lab) {
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
            assert!(
                !parts.iter().any(is_bad),
                "the name of {path} is not specific"
            );
        }
    }
}

/// `Debug` is for programmers: it contains names of types, and changes with versions of libraries.
fn no_text_contains_debug_output(_: &Lab) {
    // A key that is stored, and code of tests.
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
