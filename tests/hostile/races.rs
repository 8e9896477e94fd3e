//! An attacker swaps files while a login opens them: settings, their folder, a link to them, a token, the
//! helper. The file that is checked is always the file that is read.
//!
//! The test is stronger than any real attacker: it renames as root, so it can also swap files that the attacker
//! does not own, at any moment. Each login either uses the administrator's files or is refused.

use crate::Case;
use crate::module::login::{Login, PASSWORD, copy_program};
use lab::Lab;
use lab::listeners::{Behavior, Listener};
use lab::pamhost::{Answer, Style, code};
use lab::process::program;
use lab::twilio::Twilio;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sms_otp::config::{Disk, Files, Role};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    ("hostile::races::of_settings", of_settings),
    (
        "hostile::races::of_ten_thousand_reads",
        of_ten_thousand_reads,
    ),
    (
        "hostile::races::of_files_named_in_settings",
        of_files_named_in_settings,
    ),
    ("hostile::races::of_the_helper", of_the_helper),
    (
        "hostile::races::of_an_unprivileged_host",
        of_an_unprivileged_host,
    ),
];

/// The attacker's uid.
const ATTACKER: u32 = 20_999;

/// The attacker's servers, to which no login may connect.
struct AttackerServers {
    twilio: Twilio,
    directory: Listener,
}

impl AttackerServers {
    fn new(lab: &Lab) -> Self {
        Self {
            twilio: Twilio::start(lab.certs()),
            directory: Listener::start(Behavior::Closes),
        }
    }

    /// Returns the login's settings with the addresses of the attacker's servers.
    fn settings(&self, login: &Login) -> String {
        let uri = format!("ldaps://127.0.0.1:{}", self.directory.port());
        let settings = login.settings.clone();
        let settings = settings
            .text("twilio.api_url", &self.twilio.url())
            .set("ldap.uris", &format!("[{uri:?}]"));
        settings.toml()
    }

    fn check_unused(&self, what: &str) {
        assert_eq!(self.twilio.connections().0, 0, "{what}");
        assert_eq!(self.directory.accepted(), 0, "{what}");
    }
}

/// Swaps two names repeatedly until it is dropped.
struct Racer {
    stop: std::sync::Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Racer {
    fn start(one: &Path, other: &Path) -> Self {
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let (one, other, stopped) = (
            one.to_owned(),
            other.to_owned(),
            std::sync::Arc::clone(&stop),
        );
        let thread = std::thread::spawn(move || {
            let mut swaps = 0_u64;
            while !stopped.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).expect("a swap");
                swaps += 1;
                // Without a pause no other thread would run on two processors. The number is odd, so that
                // the two files take turns in being in place during the pause.
                if swaps % 63 == 0 {
                    std::thread::sleep(Duration::from_micros(50));
                }
            }
            swaps
        });
        let thread = Some(thread);
        Self { stop, thread }
    }

    fn stop(&mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take();
        thread.map_or(0, |thread| thread.join().expect("the racer"))
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// The results of a race's logins: the number of granted ones, and the `detail` of the refused ones.
struct Results {
    granted: usize,
    refused: BTreeSet<String>,
}

/// Logs in while the racer swaps, until at least one login was granted and one was refused, and at least
/// often enough to win a race that can be won.
fn race(login: &Login, what: &str, one: &Path, other: &Path) -> Results {
    let head = format!("pam_sms_otp({}:auth): failed", login.case);
    let failures = || login.lab.machine().log().lines_with(&[&head]);
    let before = failures().len();
    let torture = super::torture();
    let times = if torture { 150 } else { 12 };
    let mut racer = Racer::start(one, other);
    let (mut granted, mut refused) = (0, 0);
    let until = Instant::now() + Duration::from_secs(60);
    while granted + refused < times || granted == 0 || refused == 0 {
        assert!(
            Instant::now() < until || granted + refused < times,
            "{what}: {granted} granted, {refused} refused"
        );
        let arrived = login.arrived().len();
        let transcript = login.watched(
            |message| match message.style {
                Style::Hidden => PASSWORD.into(),
                _ => login.arrived()[arrived..]
                    .last()
                    .map_or(Answer::ConvErr, |sms| sms.code().into()),
            },
            |_, _| {},
        );
        assert_eq!(transcript.stray, "", "{what}");
        match transcript.codes()[..] {
            [code::SUCCESS] => granted += 1,
            [code::SERVICE_ERR] => refused += 1,
            ref codes => panic!("{what}: {codes:?}"),
        }
    }
    assert!(racer.stop() > 100, "{what}: nothing was swapped");
    let until = Instant::now() + Duration::from_secs(10);
    while failures().len() < before + refused && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    let lines = failures().split_off(before);
    assert_eq!(lines.len(), refused, "{what}: {lines:#?}");
    let details = lines.iter().filter_map(|line| line.field("detail"));
    Results {
        granted,
        refused: details.map(str::to_owned).collect(),
    }
}

/// Sets up a login of a user; its settings are at `etc/slot/sms_otp.toml` in its folder.
fn login<'b>(lab: &'b Lab, case: &'static str) -> Login<'b> {
    let someone = crate::module::someone(lab, case);
    let login = Login::new(lab, case)
        .of(&someone)
        .set("limits.sms", "[\"1000/1h\"]");
    let etc = login.folder.join("etc");
    let arguments = format!("config={}", etc.join("slot/sms_otp.toml").display());
    let login = login.arguments(&arguments);
    login.set_up();
    login
}

/// Creates a folder with this owner and mode.
fn folder(path: &Path, owner: u32, mode: u32) -> PathBuf {
    fs::create_dir_all(path).expect("a folder");
    chown(path, Some(owner), Some(owner)).expect("root may chown");
    lab::scratch::set_mode(path, mode);
    path.to_owned()
}

/// Writes a file, and replaces what the last race left at its path.
fn file(path: &Path, owner: u32, mode: u32, text: &str) {
    let _ = fs::remove_file(path);
    lab::scratch::write(path, mode, text);
    chown(path, Some(owner), Some(owner)).expect("root may chown");
}

/// Checks that each refusal has one of these details.
fn check_refusals(what: &str, results: &Results, words: &[&str]) {
    assert!(results.granted > 0);
    for detail in &results.refused {
        let known = words.iter().any(|words| detail.contains(words));
        assert!(known, "{what}: {detail}");
    }
}

/// Runs all races for settings: `race` gets a description, the two paths to swap and the expected details. `etc`
/// is root's folder, and the settings are at `slot/sms_otp.toml` in it.
fn rows(etc: &Path, good: &str, evil: &str, mut race: impl FnMut(&str, &Path, &Path, &[&str])) {
    let slot = folder(&etc.join("slot"), 0, 0o755);
    let (config, other) = (slot.join("sms_otp.toml"), slot.join("other"));
    let foreign = format!("belongs to uid {ATTACKER}");
    for (what, owner, mode, words) in [
        ("the attacker's file", ATTACKER, 0o600, &*foreign),
        (
            "a file that the attacker may write",
            0,
            0o666,
            "written by others",
        ),
        ("a secret that the attacker may read", 0, 0o644, "read"),
    ] {
        file(&config, 0, 0o600, good);
        file(&other, owner, mode, evil);
        race(what, &config, &other, &[words]);
    }

    file(&config, 0, 0o600, good);
    fs::remove_file(&other).expect("the last row's");
    file(&etc.join("evil"), 0, 0o600, evil);
    symlink(etc.join("evil"), &other).expect("a link");
    lchown(&other, Some(ATTACKER), Some(ATTACKER)).expect("root may chown");
    // A link that replaced a file between the check and the open is not followed.
    let replaced = "Too many levels of symbolic links";
    let what = "the attacker's link to root's file";
    race(what, &config, &other, &[&foreign, replaced]);

    // The attacker decides which file is in the attacker's folder, even if root owns the file.
    let own = folder(&etc.join("own"), ATTACKER, 0o755);
    file(&own.join("sms_otp.toml"), 0, 0o600, evil);
    file(&config, 0, 0o600, good);
    race("the attacker's folder", &slot, &own, &[&foreign]);

    // Any user may create files in this folder: the owner of each file decides.
    folder(&slot, 0, 0o1777);
    file(&config, 0, 0o600, good);
    file(&other, ATTACKER, 0o600, evil);
    race("a sticky folder", &config, &other, &[&foreign]);
}

fn of_settings(lab: &Lab) {
    let servers = AttackerServers::new(lab);
    let login = login(lab, "race-settings");
    let etc = folder(&login.folder.join("etc"), 0, 0o755);
    let (good, evil) = (login.settings.toml(), servers.settings(&login));
    rows(&etc, &good, &evil, |what, one, other, words| {
        check_refusals(what, &race(&login, what, one, other), words);
        servers.check_unused(what);
    });
}

/// The same races for the read alone: some ten thousand of them in the time of a login.
fn of_ten_thousand_reads(lab: &Lab) {
    let etc = folder(&lab.folder("race-looks").join("etc"), 0, 0o755);
    let config = etc.join("slot/sms_otp.toml");
    let config = config.to_str().expect("a path");
    rows(&etc, "good", "evil", |what, one, other, words| {
        let mut racer = Racer::start(one, other);
        let (mut read, mut refused) = (0, 0);
        let until = Instant::now() + Duration::from_millis(400);
        while Instant::now() < until || read == 0 || refused == 0 {
            match Disk.read(config, Role::Secret) {
                Ok(content) => {
                    assert_eq!(&content.bytes[..], b"good", "{what}, read {read} times");
                    read += 1;
                }
                Err(error) => {
                    let error = error.to_string();
                    let known = words.iter().any(|words| error.contains(words));
                    assert!(known, "{what}: {error}");
                    refused += 1;
                }
            }
            assert!(
                Instant::now() < until + Duration::from_secs(30),
                "{what}: {read}, {refused}"
            );
        }
        assert!(racer.stop() > 100, "{what}: nothing was swapped");
    });
}

fn of_files_named_in_settings(lab: &Lab) {
    let login = login(lab, "race-named");
    let etc = folder(&login.folder.join("etc"), 0, 0o755);
    let slot = folder(&etc.join("slot"), 0, 0o755);
    let (token, other) = (etc.join("token"), etc.join("other"));
    let settings = login
        .settings
        .clone()
        .without("twilio.twilio_token")
        .text("twilio.twilio_token_file", token.to_str().expect("a path"));
    file(&slot.join("sms_otp.toml"), 0, 0o600, &settings.toml());
    let twilio = lab.twilio();
    let before = twilio.requests().len();
    file(&token, 0, 0o600, &twilio.account().token);
    file(&other, ATTACKER, 0o600, "deadbeefdeadbeefdeadbeefdeadbeef");
    let what = "the attacker's token";
    let foreign = format!("belongs to uid {ATTACKER}");
    check_refusals(what, &race(&login, what, &token, &other), &[&foreign]);
    // Other cases may send requests meanwhile, but no request has the attacker's token.
    let account = twilio.account();
    let pair = format!("{}:deadbeef", account.sid);
    let begins = base64_start(&pair);
    let asked = twilio.requests().split_off(before);
    let has_attackers_token = asked.iter().any(|request| {
        request
            .header("authorization")
            .is_some_and(|header| header.contains(&begins))
    });
    assert!(!has_attackers_token && !asked.is_empty());
}

/// Returns the part of a text's base64 that does not depend on what follows the text.
fn base64_start(text: &str) -> String {
    use base64::Engine as _;
    let whole = &text.as_bytes()[..text.len() / 3 * 3];
    base64::engine::general_purpose::STANDARD.encode(whole)
}

fn of_the_helper(lab: &Lab) {
    let someone = crate::module::someone(lab, "race-helper");
    let login = Login::new(lab, "race-helper")
        .of(&someone)
        .set("limits.sms", "[\"1000/1h\"]");
    let place = folder(&login.folder.join("place"), 0, 0o755);
    let (helper, other) = (place.join("helper"), place.join("other"));
    copy_program(&lab.product().helper(), &helper);
    // This program would exit without a message.
    copy_program(&program("true"), &other);
    chown(&other, Some(ATTACKER), Some(ATTACKER)).expect("root may chown");
    let line = lab.product().line_with(&login.config(), &helper);
    let login = login.line(line);
    login.set_up();
    let what = "the attacker's helper";
    let foreign = format!("belongs to uid {ATTACKER}");
    check_refusals(what, &race(&login, what, &helper, &other), &[&foreign]);
}

/// A host process that is not root trusts files of root and of its own user only.
fn of_an_unprivileged_host(lab: &Lab) {
    let account = lab.machine().add(&lab::machine::User::new("race-host"));
    let servers = AttackerServers::new(lab);
    let login = login(lab, "race-own")
        .tag("host")
        .host(|host| host.run_as(lab.machine(), &account));
    let own = folder(&login.folder.join("ledger"), account.uid, 0o755);
    let ledger = own.join("ledger");
    let login = login.text("ledger.path", ledger.to_str().expect("a path"));
    let (good, evil) = (login.settings.toml(), servers.settings(&login));
    let slot = folder(&login.folder.join("etc/slot"), account.uid, 0o755);
    let (config, other) = (slot.join("sms_otp.toml"), slot.join("other"));
    file(&config, account.uid, 0o600, &good);
    // Readable for the host process, so that it is not refused for its mode.
    file(&other, ATTACKER, 0o644, &evil);
    let what = "an unprivileged host process";
    let foreign = format!("belongs to uid {ATTACKER}");
    check_refusals(what, &race(&login, what, &config, &other), &[&foreign]);
    servers.check_unused(what);
}
