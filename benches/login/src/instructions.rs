//! Counts the instructions of one login with callgrind: host, module, and all child processes.

use crate::contender::Contender;
use crate::ours;
use crate::run::login_under;
use crate::testbed::Testbed;
use lab::table::{Table, digits};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The purpose of a function, by prefixes of the names in its symbol: modules and libraries. The first
/// match counts.
const PURPOSES: [(&str, &[&str]); 8] = [
    (
        "elliptic curves (handshakes)",
        &[
            "nistz256",
            "p256",
            "25519",
            "x25519",
            "curve25519",
            "fe_",
            "ge_",
            "ecp",
            "::ec::",
            "table_select",
        ],
    ),
    (
        "hashes and ciphers",
        &[
            "sha256", "sha512", "aes", "gcm", "chacha", "poly1305", "hmac", "digest",
        ],
    ),
    (
        "TLS and certificates",
        &["rustls", "webpki", "tls", "base64", "pki"],
    ),
    (
        "LDAP",
        &["ldap", "lber", "directory", "tokio", "nom", "mio"],
    ),
    ("HTTP", &["http", "ureq", "twilio", "serde_json"]),
    ("settings", &["toml", "config"]),
    ("ledger", &["ledger"]),
    (
        "loading",
        &["_dl_", "do_lookup_x", "dl_main", "strcmp", "check_match"],
    ),
];

/// Measures all contenders. The first one has to be the empty one, the second one ours. An error gives the
/// reason why the counts would be wrong.
pub fn measure(testbed: &Testbed, contenders: &[&Contender]) -> Result<Vec<Table>, String> {
    let folder = testbed.folder().join("callgrind");
    let _hidden = HiddenUser::hide();
    let mut all = Vec::new();
    for contender in contenders {
        eprintln!("counting instructions of {}", contender.name);
        let counted = count(testbed, contender, &folder);
        let ours = contender.name.starts_with(contenders[1].name);
        if ours && !counted.as_ref().is_some_and(|counted| counted.helper) {
            return Err(format!(
                "callgrind did not count the helper of {}: {}",
                contender.name,
                list_outputs(&folder)
            ));
        }
        if counted.is_none() {
            eprintln!("{}: the login under callgrind failed", contender.name);
        }
        all.push(counted);
    }
    let counted = |index: usize| all.get(index).and_then(Option::as_ref);
    let (floor, module) = counted(0)
        .zip(counted(1))
        .ok_or("a login under valgrind failed")?;
    let floor = floor.total;
    let above = |counted: &Counted| (counted.total.saturating_sub(floor)) as f64 / 1e6;
    let mut table = Table::new(
        "Instructions",
        "Host, module and helper together, minus a host with pam_permit only, in millions, and the ratio \
         to this module. A shared daemon (nslcd) is not counted. The helper keeps uid 0 here, without \
         capabilities, so that callgrind can write its output; valgrind supports neither Landlock nor \
         seccomp, so the kernel's part of the sandbox is missing.",
        &["", "millions", "ratio"],
    );
    for (contender, counted) in contenders.iter().zip(&all).skip(1) {
        let cells = match counted {
            Some(counted) => [above(counted), above(counted) / above(module)].map(digits),
            None => ["not counted".to_owned(), String::new()],
        };
        table.row(contender.name, cells);
    }
    let symbols = ours::with_symbols(testbed).ok_or("there is no helper with symbols")?;
    let symbols = count(testbed, &symbols, &folder).filter(|counted| counted.helper);
    let symbols = symbols.ok_or("callgrind did not count the helper with symbols")?;
    Ok(vec![table, by_purpose(&symbols)])
}

fn by_purpose(ours: &Counted) -> Table {
    let mut table = Table::new(
        "Instructions by purpose",
        "This module's helper and host, with a CA file of one certificate: the instructions of each \
         function, without its callees, by the purpose of its library or module.",
        &["", "millions", "share"],
    );
    let mut purposes: Vec<(&str, u64)> = PURPOSES.iter().map(|(name, _)| (*name, 0)).collect();
    let mut other = 0;
    for (symbol, own) in &ours.symbols {
        let index = PURPOSES
            .iter()
            .position(|(_, prefixes)| prefixes.iter().any(|prefix| has_name(symbol, prefix)));
        match index {
            Some(index) => purposes[index].1 += own,
            None => other += own,
        }
    }
    purposes.push(("other: the C library, memory, the host", other));
    for (name, own) in purposes {
        let share = own as f64 / ours.total as f64 * 100.0;
        table.row(name, [digits(own as f64 / 1e6), format!("{share:.0} %")]);
    }
    table
}

/// Returns whether one of the names in a symbol begins with the prefix.
fn has_name(symbol: &str, prefix: &str) -> bool {
    symbol.match_indices(prefix).any(|(at, _)| {
        let before = symbol[..at].chars().next_back();
        !before.is_some_and(char::is_alphanumeric)
    })
}

/// Removes the helper's own account until it is dropped: callgrind opens its output at the start of a
/// process and again at its exit, which the helper's own user may not.
struct HiddenUser(String);

const PASSWD: &str = "/etc/passwd";

impl HiddenUser {
    fn hide() -> Self {
        let all = std::fs::read_to_string(PASSWD).expect("/etc/passwd");
        let is_own = |line: &&str| line.starts_with("pam_sms_otp:");
        let (own, others): (Vec<&str>, Vec<&str>) = all.lines().partition(is_own);
        lab::scratch::write(Path::new(PASSWD), 0o644, others.join("\n") + "\n");
        Self(own.join("\n"))
    }
}

impl Drop for HiddenUser {
    fn drop(&mut self) {
        // Other accounts may have been added meanwhile.
        let others = std::fs::read_to_string(PASSWD).expect("/etc/passwd");
        lab::scratch::write(Path::new(PASSWD), 0o644, format!("{others}{}\n", self.0));
    }
}

/// The counts of one login.
struct Counted {
    total: u64,
    /// Whether the counts include our helper.
    helper: bool,
    /// The instructions of each function, without its callees.
    symbols: BTreeMap<String, u64>,
}

/// Counts one login. `None`: the login failed, or valgrind is missing.
fn count(testbed: &Testbed, contender: &Contender, folder: &Path) -> Option<Counted> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).ok()?;
    let args = [
        "--tool=callgrind",
        "--trace-children=yes",
        &format!("--callgrind-out-file={}/%p", folder.display()),
        &format!("--log-file={}/log-%p", folder.display()),
    ];
    login_under(testbed, contender, "valgrind", &args)?;
    // callgrind writes a child's counts at its exit, after the host has continued.
    std::thread::sleep(Duration::from_millis(500));
    let mut counted = Counted {
        total: 0,
        helper: false,
        symbols: BTreeMap::new(),
    };
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with("log-") {
            counted.add(&std::fs::read_to_string(entry.path()).ok()?);
        }
    }
    Some(counted)
}

/// Describes callgrind's output files.
fn list_outputs(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let command = text.lines().find(|line| line.starts_with("cmd: "));
        let name = entry.file_name().to_string_lossy().into_owned();
        let log: Vec<&str> = text.lines().rev().take(6).collect();
        match command {
            Some(command) => format!("{name} {command}"),
            None => format!("{name} {log:?}"),
        }
    });
    names.collect::<Vec<_>>().join(", ")
}

/// Returns whether a command line is the helper's, which has no arguments.
fn is_helper(command: &str) -> bool {
    command.contains("helper")
}

impl Counted {
    /// Parses callgrind's format: `fn=(1) name`, then lines with position and cost. The line after
    /// `calls=` has the cost of the callee.
    fn add(&mut self, text: &str) {
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        let mut function = "";
        let mut is_callee = false;
        for line in text.lines() {
            if let Some(command) = line.strip_prefix("cmd: ") {
                self.helper |= is_helper(command);
            } else if let Some(total) = line.strip_prefix("totals: ") {
                self.total += total.trim().parse::<u64>().unwrap_or(0);
            } else if let Some(name) = line.strip_prefix("fn=").or(line.strip_prefix("cfn=")) {
                let (id, name) = name.split_once(' ').unwrap_or((name, ""));
                if !name.is_empty() {
                    names.insert(id, name);
                }
                if line.starts_with("fn=") {
                    function = names.get(id).copied().unwrap_or("");
                }
            } else if line.starts_with("calls=") {
                is_callee = true;
            } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
                let cost = line
                    .split(' ')
                    .nth(1)
                    .and_then(|cost| cost.parse::<u64>().ok());
                if !std::mem::take(&mut is_callee) {
                    *self.symbols.entry(function.to_owned()).or_default() += cost.unwrap_or(0);
                }
            }
        }
    }
}
