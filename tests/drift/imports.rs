//! Modules import only what is below them in the picture of `src/lib.rs`.

use super::references::Crate;
use super::{code, read};
use crate::Case;
use lab::Lab;
use std::collections::{BTreeMap, BTreeSet};

pub const CASES: &[Case] = &[
    (
        "drift::imports::modules_import_downwards_only",
        modules_import_downwards_only,
    ),
    (
        "drift::imports::programs_use_their_module_only",
        programs_use_their_module_only,
    ),
    (
        "drift::imports::every_module_is_in_the_picture",
        every_module_is_in_the_picture,
    ),
];

/// Each module, and those that it may import.
const PICTURE: &[(&str, &[&str])] = &[
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
            // System CA certificates, read before the sandbox.
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
    (
        "verdict",
        &["policy", "directory", "code", "config", "failure", "id"],
    ),
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
    (
        "auth_log",
        &[
            "verdict", "policy", "ledger", "sms", "phone", "sys", "deadline", "failure", "id",
        ],
    ),
    ("config", &["phone", "secret"]),
    ("net", &["deadline", "failure", "secret"]),
    ("prefetch", &["deadline", "sys"]),
    ("phone", &[]),
    ("deadline", &[]),
    ("failure", &[]),
    ("secret", &[]),
    ("id", &[]),
    ("sys", &["policy"]),
];

/// The programs, and the module that each calls.
const PROGRAMS: &[(&str, &str)] = &[
    ("src/bin/sms-otp-helper.rs", "helper"),
    ("src/bin/sms-otp.rs", "admin"),
];

fn modules_import_downwards_only(_: &Lab) {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let krate = Crate::read("src");
    for source in krate.sources() {
        let Some(module) = source.module.first().filter(|module| *module != "bin") else {
            continue;
        };
        let allowed = PICTURE.iter().find(|(name, _)| name == module);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{module} is not in the picture"));
        for other in source.references.iter().filter_map(|path| path.first()) {
            if other != module {
                assert!(
                    allowed.contains(&other.as_str()),
                    "{} imports {other}; {module} may import {allowed:?}",
                    source.path
                );
                found
                    .entry(module.clone())
                    .or_default()
                    .insert(other.clone());
            }
        }
    }
    for (module, allowed) in PICTURE {
        let used = found.remove(*module).unwrap_or_default();
        for other in *allowed {
            assert!(used.contains(*other), "{module} does not import {other}");
        }
    }
}

fn programs_use_their_module_only(_: &Lab) {
    for (program, module) in PROGRAMS {
        let text = code(&read(program));
        let paths = text.split("sms_otp::").skip(1);
        let used: BTreeSet<&str> = paths
            .map(|path| path.split([':', '{', ';', '!']).next().unwrap_or_default())
            .collect();
        assert!(used.contains(module), "{program} does not use {module}");
        // The allocator, and the macro that defines `main`.
        let is_allowed = |name: &&str| name == module || matches!(*name, "sys" | "c_main");
        assert!(used.iter().all(is_allowed), "{program} uses {used:?}");
    }
}

fn every_module_is_in_the_picture(_: &Lab) {
    let root = read("src/lib.rs");
    let picture: String = root
        .lines()
        .filter(|line| line.starts_with("//!"))
        .collect();
    let declared = root.lines().filter_map(|line| {
        let public = line.strip_prefix("pub mod ");
        public.or_else(|| line.strip_prefix("pub(crate) mod "))
    });
    let declared: BTreeSet<&str> = declared.map(|name| name.trim_end_matches(';')).collect();
    let table: BTreeSet<&str> = PICTURE.iter().map(|(module, _)| *module).collect();
    assert_eq!(declared, table);
    for module in declared {
        assert!(picture.contains(module), "the picture lacks {module}");
    }
}
