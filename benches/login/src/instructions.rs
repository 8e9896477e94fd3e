//! Instructions of one login, counted by callgrind: host, module, and whatever is started.

use crate::contender::Contender;
use crate::ground::Ground;
use crate::host::under;
use crate::ours;
use lab::table::{Table, digits};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What a function's work is for, by what its name has in it; the first that fits. The words name
/// rooms and libraries, and stand at the beginning of a name.
const PHASES: [(&str, &[&str]); 8] = [
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

/// The first of `contenders` does nothing, the second is ours; the names of rows are their own. The error
/// says why the figures would not be true.
pub fn measure(ground: &Ground, contenders: &[&Contender]) -> Result<Vec<Table>, String> {
    let folder = ground.folder().join("callgrind");
    let _hidden = HiddenUser::hide();
    let mut all = Vec::new();
    for contender in contenders {
        eprintln!("instructions of {}", contender.name);
        let counted = count(ground, contender, &folder);
        let ours = contender.name.starts_with(contenders[1].name);
        if ours && !counted.as_ref().is_some_and(|counted| counted.helper) {
            return Err(format!(
                "callgrind did not count the helper of {}: {}",
                contender.name,
                names_in(&folder)
            ));
        }
        if counted.is_none() {
            eprintln!("{} does not log in under callgrind", contender.name);
        }
        all.push(counted);
    }
    let counted = |place: usize| all.get(place).and_then(Option::as_ref);
    let (floor, module) = counted(0)
        .zip(counted(1))
        .ok_or("valgrind does not run a login here")?;
    let floor = floor.total;
    let above = |counted: &Counted| (counted.total.saturating_sub(floor)) as f64 / 1e6;
    let mut table = Table::new(
        "Instructions",
        "Of host, module and helper together, above a host that only asks pam_permit, in millions; \
         and against this module. A daemon that works for others as well (nslcd) is not counted. The \
         helper stays root here, without capabilities, so that callgrind can write what it counted; \
         valgrind knows no Landlock and no seccomp, so the kernel's part of the sandbox is missing.",
        &["", "millions", "ratio"],
    );
    for (contender, counted) in contenders.iter().zip(&all).skip(1) {
        let cells = match counted {
            Some(counted) => [above(counted), above(counted) / above(module)].map(digits),
            None => ["not counted".to_owned(), String::new()],
        };
        table.row(contender.name, cells);
    }
    let named = ours::with_symbols(ground).ok_or("there is no helper with symbols")?;
    let named = count(ground, &named, &folder).filter(|counted| counted.helper);
    let named = named.ok_or("callgrind did not count the helper with symbols")?;
    Ok(vec![table, by_phase(&named)])
}

fn by_phase(ours: &Counted) -> Table {
    let mut table = Table::new(
        "Instructions by what they are for",
        "Of this module's helper and host, with a CA file of one certificate: each function's own \
         instructions, by what its library or room is for.",
        &["", "millions", "of all"],
    );
    let mut phases: Vec<(&str, u64)> = PHASES.iter().map(|(name, _)| (*name, 0)).collect();
    let mut other = 0;
    for (symbol, own) in &ours.symbols {
        let place = PHASES
            .iter()
            .position(|(_, words)| words.iter().any(|word| names(symbol, word)));
        match place {
            Some(place) => phases[place].1 += own,
            None => other += own,
        }
    }
    phases.push(("all else: the C library, memory, the host", other));
    for (name, own) in phases {
        let share = own as f64 / ours.total as f64 * 100.0;
        table.row(name, [digits(own as f64 / 1e6), format!("{share:.0} %")]);
    }
    table
}

/// Whether this word begins one of the names that a symbol is made of.
fn names(symbol: &str, word: &str) -> bool {
    symbol.match_indices(word).any(|(at, _)| {
        let before = symbol[..at].chars().next_back();
        !before.is_some_and(char::is_alphanumeric)
    })
}

/// The machine without the helper's own user: callgrind opens its output when a process starts and again
/// when it ends, and by then the helper would be somebody who may not. The user is back when this is
/// dropped.
struct HiddenUser(String);

const ACCOUNTS: &str = "/etc/passwd";

impl HiddenUser {
    fn hide() -> Self {
        let all = std::fs::read_to_string(ACCOUNTS).expect("our /etc/passwd");
        let is_own = |line: &&str| line.starts_with("pam_sms_otp:");
        let (own, others): (Vec<&str>, Vec<&str>) = all.lines().partition(is_own);
        lab::scratch::write(Path::new(ACCOUNTS), 0o644, others.join("\n") + "\n");
        Self(own.join("\n"))
    }
}

impl Drop for HiddenUser {
    fn drop(&mut self) {
        // Other accounts may have been added meanwhile.
        let others = std::fs::read_to_string(ACCOUNTS).expect("our /etc/passwd");
        lab::scratch::write(Path::new(ACCOUNTS), 0o644, format!("{others}{}\n", self.0));
    }
}

/// What callgrind saw of one login.
struct Counted {
    total: u64,
    /// Whether our helper is among what was counted.
    helper: bool,
    /// By function, without what it calls.
    symbols: BTreeMap<String, u64>,
}

/// Nothing if the login failed, or there is no valgrind.
fn count(ground: &Ground, contender: &Contender, folder: &Path) -> Option<Counted> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).ok()?;
    let words = [
        "--tool=callgrind",
        "--trace-children=yes",
        &format!("--callgrind-out-file={}/%p", folder.display()),
        &format!("--log-file={}/log-%p", folder.display()),
    ];
    under(ground, contender, "valgrind", &words)?;
    // A child's figures are written when it ends, which is when its host has gone on.
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

/// What callgrind has written.
fn names_in(folder: &Path) -> String {
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

/// The helper has no arguments, and a name with this in it.
fn is_helper(command: &str) -> bool {
    command.contains("helper")
}

impl Counted {
    /// Reads callgrind's format: `fn=(1) name`, then lines of position and cost; what follows
    /// `calls=` is the cost of the call and not the function's own.
    fn add(&mut self, text: &str) {
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        let mut function = "";
        let mut of_call = false;
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
                of_call = true;
            } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
                let cost = line
                    .split(' ')
                    .nth(1)
                    .and_then(|cost| cost.parse::<u64>().ok());
                if !std::mem::take(&mut of_call) {
                    *self.symbols.entry(function.to_owned()).or_default() += cost.unwrap_or(0);
                }
            }
        }
    }
}
