//! Steps that these cases share: users, the shipped stacks, prompts and answers, and what is visible from
//! outside at the end.

use lab::Lab;
use lab::log::Line;
use lab::machine::{Account, User};
use lab::process::program;
use lab::pty::Pty;
use lab::settings::Settings;
use lab::slapd::LdapUser;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// In the directory.
pub const PASSWORD: &str = "right horse";
/// In the private machine's `/etc/shadow`.
pub const LOCAL: &str = "local horse";
/// Of the private machine's root.
pub const ROOT: &str = "root horse";

/// What `pam-auth-update` writes on a Debian without further modules.
const COMMON_AUTH: &str = "auth [success=1 default=ignore] pam_unix.so nullok\n\
    auth requisite pam_deny.so\nauth required pam_permit.so\n";

const SOON: Duration = Duration::from_secs(10);

/// TestUser with an account and a phone.
pub struct TestUser {
    pub account: Account,
    pub person: LdapUser,
    pub number: String,
}

impl TestUser {
    /// In the directory, with a verified phone; on the machine, with no password of its own.
    pub fn new(lab: &Lab, name: &str) -> Self {
        Self::on(lab, &User::new(name), name)
    }

    /// The same, with a password in `/etc/shadow` too.
    pub fn with_local_password(lab: &Lab, name: &str) -> Self {
        Self::on(lab, &User::new(name).password(LOCAL), name)
    }

    fn on(lab: &Lab, user: &User, name: &str) -> Self {
        let number = lab.number();
        let person = LdapUser::new(name).password(PASSWORD).phone(&number);
        lab.slapd().add(&person);
        Self {
            account: lab.machine().add(user),
            person,
            number,
        }
    }

    pub fn name(&self) -> &str {
        &self.account.name
    }

    /// The first code prompt.
    pub fn sent(&self) -> String {
        format!("Code sent to {}. Verification code: ", self.masked())
    }

    pub fn masked(&self) -> String {
        masked(&self.number)
    }

    /// The code of the oldest SMS that was not read yet.
    pub fn code(&self, lab: &Lab) -> String {
        lab.twilio().wait_for_sms(&self.number, SOON).code()
    }

    /// Reads the SMS and types the code.
    pub fn type_code(&self, lab: &Lab, terminal: &mut Pty) {
        terminal.expect(&self.sent());
        terminal.type_line(&self.code(lab));
    }

    pub fn sms(&self, lab: &Lab) -> usize {
        lab.twilio().sms_to(&self.number).len()
    }

    /// Allows the user to run everything with sudo, with additional lines of sudoers.
    pub fn may_sudo(&self, more: &str) {
        let name = self.name();
        let rule = format!("{name} ALL=(ALL) ALL\n{more}\n");
        lab::scratch::write(&Path::new("/etc/sudoers.d").join(name), 0o440, rule);
    }

    /// Starts a program on a terminal of this user's.
    pub fn runs(&self, name: &str, arguments: &[&str]) -> Pty {
        Pty::spawn_as(Command::new(program(name)).args(arguments), &self.account)
    }
}

/// A British number as a prompt and the log show it.
pub fn masked(number: &str) -> String {
    format!("+44*******{}", &number[number.len() - 2..])
}

/// The settings that most cases share: all defaults, `[service.su]` as the sample has it, and
/// refusals without a delay.
pub fn settings(lab: &Lab) -> Settings {
    let sample = fs::read_to_string(repository().join("conf/sms_otp.toml")).expect("the sample");
    let section = sample.split("\n[service.su]\n").nth(1);
    let section = section.expect("[service.su] in the sample");
    section
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(" = "))
        .fold(lab.settings(), |settings, (key, value)| {
            settings.set(&format!("service.su.{key}"), value)
        })
        .text("password.refuse_after", "100ms")
}

/// The file with the shared settings.
pub fn shared(lab: &Lab) -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| written(lab, "shared", &settings(lab)))
}

/// Writes the settings of one case.
pub fn written(lab: &Lab, case: &str, settings: &Settings) -> PathBuf {
    let path = lab.folder(&format!("logins-{case}")).join("sms_otp.toml");
    settings.write(&path);
    path
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A stack that the repository ships, `pam.d/NAME`, unchanged except for the paths of our module, its
/// helper and its settings.
pub fn shipped(lab: &Lab, name: &str, settings: &Path) -> String {
    stack(name, &lab.product().line(settings))
}

/// The same, with this for `pam_sms_otp.so`.
pub fn stack(name: &str, ours: &str) -> String {
    let path = repository().join("pam.d").join(name);
    let text = fs::read_to_string(&path).expect("a sample stack");
    let found = text.contains("pam_sms_otp.so") || ["su-l", "sudo-i"].contains(&name);
    assert!(found, "{} does not name our module", path.display());
    text.replace("pam_sms_otp.so", ours)
}

/// A PAM service of the private machine. Cases with the same stack share it; a case with another stack
/// waits until they have ended.
pub struct Service(String);

type Services = BTreeMap<String, (String, usize)>;
static SERVICES: (Mutex<Services>, Condvar) = (Mutex::new(BTreeMap::new()), Condvar::new());

impl Service {
    /// `/etc/pam.d/SERVICE`, for as long as this lives.
    pub fn hold(lab: &Lab, service: &str, text: &str) -> Self {
        let (services, freed) = &SERVICES;
        let guard = services.lock().expect("the services");
        let taken = |services: &mut Services| {
            let other = |(held, users): &(String, usize)| *users > 0 && held != text;
            services.get(service).is_some_and(other)
        };
        let mut guard = freed.wait_while(guard, taken).expect("the services");
        let entry = guard.entry(service.to_owned()).or_default();
        if entry.0 != text {
            common(lab);
            lab.machine().stack(service, text);
            text.clone_into(&mut entry.0);
        }
        entry.1 += 1;
        Self(service.to_owned())
    }

    /// The shipped stack of this name, with the shared settings.
    pub fn shipped(lab: &Lab, name: &str) -> Self {
        Self::hold(lab, name, &shipped(lab, name, shared(lab)))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A case that panicked leaves the table consistent.
        let mut services = match SERVICES.0.lock() {
            Ok(services) => services,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some(entry) = services.get_mut(&self.0) {
            entry.1 -= 1;
        }
        SERVICES.1.notify_all();
    }
}

/// The files of Debian that the samples include: local accounts only.
fn common(lab: &Lab) {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let world = lab.machine();
        world.stack("common-auth", COMMON_AUTH);
        world.stack("common-account", "account required pam_unix.so\n");
        world.stack("common-password", "password required pam_deny.so\n");
        for name in ["common-session", "common-session-noninteractive"] {
            world.stack(name, "session required pam_unix.so\n");
        }
    });
}

/// Our lines about this user, each cut down to its event, reason and first factor.
fn logged(lab: &Lab, user: &str) -> (Vec<String>, Vec<Line>) {
    let mut lines = lab.machine().log().lines_for(user);
    lines.retain(|line| line.message.starts_with("pam_sms_otp("));
    let brief = |line: &Line| {
        let event = line.message.split_whitespace().nth(1).unwrap_or_default();
        let fields = ["stage", "reason", "first"].map(|name| line.field(name));
        let fields = fields.into_iter().flatten();
        [event]
            .into_iter()
            .chain(fields)
            .collect::<Vec<_>>()
            .join(" ")
    };
    (lines.iter().map(brief).collect(), lines)
}

/// Waits until exactly this was logged about this user, and returns the lines. They must contain no
/// secret.
pub fn assert_logged(lab: &Lab, user: &str, expected: &[&str]) -> Vec<Line> {
    let until = Instant::now() + SOON;
    loop {
        let (brief, lines) = logged(lab, user);
        if brief.len() >= expected.len() || Instant::now() > until {
            assert_eq!(brief, expected, "{lines:#?}");
            assert_no_secret(lab, &lines);
            return lines;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Never in any log: a code, a password, a whole phone number.
fn assert_no_secret(lab: &Lab, lines: &[Line]) {
    let sms = lab.twilio().all_sms();
    let secrets = [PASSWORD, LOCAL, ROOT].into_iter();
    let secrets = secrets.chain(sms.iter().map(|sms| sms.to.as_str()));
    for secret in secrets {
        let seen = lines.iter().any(|line| line.raw.contains(secret));
        assert!(!seen, "{secret} was logged: {lines:#?}");
    }
    for code in sms.iter().map(lab::twilio::Sms::code) {
        let is_it = |number: &str| number == code;
        let digits = |line: &Line| line.message.split(|c: char| !c.is_ascii_digit()).any(is_it);
        assert!(!lines.iter().any(digits), "{code} was logged: {lines:#?}");
    }
}

/// The stack's commented-out variant: its `#auth` lines in the place of the one above them.
pub fn variant(text: &str) -> String {
    let turn = |line: &str| match line.strip_prefix("#auth") {
        Some(rest) => format!("auth{rest}\n"),
        None if line.starts_with("auth") => String::new(),
        None => format!("{line}\n"),
    };
    text.lines().map(turn).collect()
}

/// Asserts that no process runs this program, or will soon.
pub fn soon_gone(program: &Path) {
    let until = Instant::now() + SOON;
    loop {
        let mut running = lab::processes::all();
        running.retain(|pid| lab::processes::executes(*pid, program));
        if running.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "{running:?} still run");
        thread::sleep(Duration::from_millis(5));
    }
}
