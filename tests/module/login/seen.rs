//! What is visible of a login from outside: codes, screen, log and SMS, in a form that can be compared.

use super::{Login, PASSWORD};
use crate::skipped::skip;
use lab::log::Line;
use lab::pamhost::{Message, Style, Transcript, code};
use lab::slapd::Slapd;
use lab::twilio::Sms;
use std::collections::BTreeSet;

/// A text on the screen, with a sign in front: `*` a prompt whose answer is hidden, `>` a prompt whose
/// answer is shown, `!` an error, `-` a text. A masked number is `PHONE`, a login's number `LOGIN`.
pub const ASKS: &str = "*Password: ";
pub const SENT: &str = ">Code sent to PHONE. Verification code: ";
pub const RESENT: &str = ">Code sent again. Verification code: ";
pub const NOT_SENT: &str = "!The code could not be sent. Try again later. (login LOGIN)";
pub const NOT_VERIFIED: &str =
    "!No verified phone number on file. Ask your administrator. (login LOGIN)";
pub const NO_CODE: &str = "!No code was entered. (login LOGIN)";
pub const STOPPED: &str = "!This phone has blocked our messages. Send START to the sender, then log in again. (login LOGIN)";
pub const BAD_NUMBER: &str =
    "!This phone cannot receive codes. Ask your administrator. (login LOGIN)";
pub const NEW_PHONE: &str =
    "!Your new phone number cannot be used yet. Ask your administrator. (login LOGIN)";
pub const PASSWORD_EXPIRED: &str =
    "!Your password has expired. Change it, then log in again. (login LOGIN)";
/// `WAIT` is replaced by the duration.
pub const LATER: &str = "!Too many codes. Try again in WAIT. (login LOGIN)";
/// After three wrong codes in other logins.
pub const GUESSES: &str = "-3 wrong codes were entered since your last login.";
pub const TOO_MANY: &str = "!Too many wrong codes. (login LOGIN)";

/// The lines of a granted login.
pub const GRANTED: &[&str] = &["sent", "granted"];

/// What is visible of a run from outside.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The PAM code of each step that has one.
    pub(super) codes: Vec<i32>,
    pub(super) screen: Vec<String>,
    /// Event and fields of each line, without those that every line has. `user=?` is kept where the
    /// name was not written.
    pub(super) log: Vec<String>,
    /// How many SMS arrived.
    pub(super) sms: usize,
    /// Whether the log belongs to the real machine and is not read: then any log is accepted.
    pub(super) unread: bool,
}

/// Why a case that checks log lines is skipped.
pub(super) const NO_LOG: &str = "without a private machine the system's log is not ours to read";

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        let log = self.unread || other.unread || self.log == other.log;
        log && (&self.codes, &self.screen, self.sms) == (&other.codes, &other.screen, other.sms)
    }
}

impl Eq for Seen {}

impl Seen {
    pub fn new(codes: &[i32], screen: &[&str], log: &[&str], sms: usize) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Self {
            codes: codes.to_vec(),
            screen: owned(screen),
            log: owned(log),
            sms,
            unread: false,
        }
    }

    /// Password, SMS, code, granted.
    pub fn granted() -> Self {
        Self::new(&[code::SUCCESS], &[ASKS, SENT], GRANTED, 1)
    }

    /// Granted, without a password prompt.
    pub fn granted_by_code() -> Self {
        Self::new(&[code::SUCCESS], &[SENT], GRANTED, 1)
    }

    /// Refused after the password prompt, with this line and without a text.
    pub fn refused(code: i32, line: &str) -> Self {
        Self::new(&[code], &[ASKS], &[line], 0)
    }

    /// Refused before any prompt.
    pub fn at_once(code: i32, line: &str) -> Self {
        Self::new(&[code], &[], &[line], 0)
    }

    /// Refused after the right password, with a text, before any SMS.
    pub fn unsent(code: i32, text: &str, line: &str) -> Self {
        Self::new(&[code], &[ASKS, text], &[line], 0)
    }
}

impl Seen {
    /// The same where the name is known, so that it is written.
    pub fn of_a_known_name(&self) -> Self {
        let mut seen = self.clone();
        for line in &mut seen.log {
            *line = line.replace(" user=?", "");
        }
        seen
    }

    pub fn codes(&self) -> &[i32] {
        &self.codes
    }

    pub fn screen(&self) -> &[String] {
        &self.screen
    }

    pub fn log(&self) -> &[String] {
        if self.unread {
            skip(NO_LOG);
        }
        &self.log
    }

    pub fn sms(&self) -> usize {
        self.sms
    }
}

impl Login<'_> {
    /// What is true of every login.
    pub(super) fn judge(&self, seen: &Transcript, lines: &[Line], sms: &[Sms]) {
        let case = self.case;
        assert_eq!(seen.stray, "", "{case}: stray output");
        if seen.killed_by.is_none() {
            let changes = seen.before.changes(&seen.after);
            assert_eq!(changes, Vec::<String>::new(), "{case}: left behind");
        }
        for one in sms {
            self.judge_sms(one);
        }
        let program = std::env::current_exe().expect("the path of this program");
        let program = program.file_name().expect("its name").to_string_lossy();
        let codes: BTreeSet<String> = sms.iter().map(Sms::code).collect();
        for line in lines {
            let raw = &line.raw;
            assert_eq!(line.facility, 10, "{case}: {raw}");
            let severity = match line.message.split(' ').nth(1) {
                Some("sent" | "granted" | "skipped") => 6,
                Some("denied" | "phone-changed") => 5,
                Some("sandbox") => 4,
                Some("debug") => 7,
                _ => 3,
            };
            assert_eq!(line.severity, severity, "{case}: {raw}");
            assert_eq!(line.tag, self.tag.unwrap_or(&program), "{case}: {raw}");
            assert_eq!(line.field("rhost"), self.rhost, "{case}: {raw}");
            // The module's own line goes through syslog(3), where the host decides whether a pid is logged.
            let own = line.field("stage") == Some("helper");
            assert!(
                line.pid == self.pid.or(Some(seen.pid)) || own && line.pid.is_none(),
                "{case}: {raw}"
            );
            let printable = line.message.bytes().all(|b| (b' '..=b'~').contains(&b));
            assert!(printable, "{case}: {raw}");
            let account = self.lab.twilio().account();
            let bind = Slapd::BIND_PASSWORD;
            for secret in [PASSWORD, &self.number, &account.token, bind] {
                assert!(
                    secret.is_empty() || !raw.contains(secret),
                    "{case}: {secret} in {raw}"
                );
            }
            // As a whole word: a login's or a message's number may contain the same digits.
            let mut words = raw.split(|c: char| !c.is_ascii_alphanumeric());
            assert!(!words.any(|word| codes.contains(word)), "{case}: {raw}");
        }
    }

    fn judge_sms(&self, sms: &Sms) {
        let case = self.case;
        let validity = sms.validity.expect("a validity period");
        assert!(
            (1..=self.lifetime).contains(&validity),
            "{case}: {validity}"
        );
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a host name");
        let minutes = self.lifetime.div_ceil(60);
        let standard = format!(
            "{{}} is your login code for {}. It expires in {minutes} minutes. Not you? Change \
             your password.",
            host.trim()
        );
        let text = self.sms.as_ref().unwrap_or(&standard);
        assert_eq!(sms.body, text.replace("{}", &sms.code()), "{case}");
    }

    pub(super) fn shown(&self, message: &Message, logins: &BTreeSet<&str>) -> String {
        let sign = match message.style {
            Style::Hidden => '*',
            Style::Shown => '>',
            Style::Error => '!',
            Style::Info => '-',
        };
        let mut text = message.text.replace(&masked(&self.number), "PHONE");
        let words = message.text.split(|c: char| !c.is_ascii_alphanumeric());
        for login in words.filter(|word| logins.contains(word)) {
            text = text.replace(login, "LOGIN");
        }
        let again = "Try again in ";
        if let Some((before, rest)) = text.split_once(again) {
            let end = rest.find('.').unwrap_or(rest.len());
            text = format!("{before}{again}WAIT{}", &rest[end..]);
        }
        if self.lab.machine_error().is_some() {
            // Without a log the number is not known.
            if let Some((before, rest)) = text.split_once("(login ") {
                let end = rest.find(')').unwrap_or(rest.len());
                text = format!("{before}(login LOGIN{}", &rest[end..]);
            }
        }
        format!("{sign}{text}")
    }

    /// A line without the parts that every line has (the module's name, login, user, rhost) and without what differs
    /// each time.
    pub(super) fn brief(&self, line: &Line) -> String {
        let case = self.case;
        let login = line.field("login").unwrap_or_default();
        let hex = login.len() == 8 && login.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(hex, "{case}: {}", line.raw);
        let mut words = vec![
            line.message
                .split(' ')
                .nth(1)
                .unwrap_or_default()
                .to_owned(),
        ];
        let user = line.field("user").unwrap_or_default();
        if user != self.user {
            words.push(format!("user={user}"));
        }
        for name in ["caller", "first", "stage", "reason", "error"] {
            if let Some(value) = line.field(name) {
                words.push(format!("{name}={value}"));
            }
        }
        if words[0] == "sent" {
            assert_eq!(
                line.field("phone"),
                Some(masked(&self.number).as_str()),
                "{case}"
            );
            assert!(line.field("ms").is_some_and(|ms| ms.parse::<u32>().is_ok()));
            if !line.field("sid").is_some_and(|sid| sid.starts_with("SM")) {
                words.push(format!("sid={}", line.field("sid").unwrap_or_default()));
            }
        }
        if words[0] == "failed" {
            let detail = line.field("detail").unwrap_or_default();
            assert!(detail.len() > 10, "{case}: what to do? {}", line.raw);
        }
        words.join(" ")
    }
}

/// Country code, seven stars, two digits.
fn masked(number: &str) -> String {
    if number.len() < 5 {
        return "no number".to_owned();
    }
    let country = if number.starts_with("+1") { 2 } else { 3 };
    format!(
        "{}*******{}",
        &number[..country],
        &number[number.len() - 2..]
    )
}
