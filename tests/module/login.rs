//! One login through the module, and everything that an outsider sees of it, put together.

use lab::bench::Bench;
use lab::log::Line;
use lab::pamhost::{Answer, Message, PamHost, Style, Transcript, code};
use lab::settings::Settings;
use lab::slapd::Person;
use lab::twilio::Sms;
use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Everybody's password.
pub const PASSWORD: &str = "correct horse, battery";

/// What stands on screen. A sign tells how: `*` a prompt whose answer is hidden, `>` a prompt whose
/// answer is shown, `!` an error, `-` a text. A masked number is `PHONE`, a login's number `LOGIN`.
pub const ASKS: &str = "*Password: ";
pub const SENT: &str = ">Code sent to PHONE. SMS code: ";
pub const RESENT: &str = ">Code sent again. SMS code: ";
pub const NOT_SENT: &str = "!The code could not be sent. Try again later. (login LOGIN)";
pub const NOT_VERIFIED: &str =
    "!No verified phone number on file. Ask your administrator. (login LOGIN)";
pub const TOO_MANY: &str = "!Too many wrong codes. (login LOGIN)";

/// The lines of a login that went well.
pub const GRANTED: &[&str] = &["sent", "granted"];

/// What a person types at a prompt.
#[derive(Clone, Copy, Debug)]
pub enum Say {
    /// The right password.
    Password,
    /// The code of the newest SMS.
    Code,
    /// The code of the first SMS of this run.
    FirstCode,
    /// The code of the newest SMS, as it is read aloud.
    SpacedCode,
    /// As many digits as a code has, and not those.
    WrongCode,
    Text(&'static str),
    Bytes(&'static [u8]),
    /// One letter so many times.
    Long(usize),
    /// The code of the newest SMS, typed after so many seconds.
    CodeAfter(u64),
    Null,
    HangUp,
    Die,
}

/// Somebody with an entry in the directory and a phone.
pub struct Someone {
    pub person: Person,
    pub number: String,
}

/// Adds a person with the password and a verified phone of his own.
pub fn someone(bench: &Bench, name: &str) -> Someone {
    let number = bench.number();
    let person = Person::new(name).password(PASSWORD).phone(&number);
    bench.slapd().add(&person);
    Someone { person, number }
}

/// Copies a program by another process. In this one a fork of somebody else's could hold the copy open
/// for writing, and what is so cannot be executed.
pub fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status();
    assert!(status.is_ok_and(|status| status.success()));
    lab::scratch::set_mode(to, 0o755);
}

/// What an outsider sees of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What PAM was told, for each step that has a code.
    codes: Vec<i32>,
    screen: Vec<String>,
    /// Event and fields of each line, without those that every line has. `user=?` stands where the
    /// name was not written.
    log: Vec<String>,
    /// How many SMS arrived.
    sms: usize,
}

impl Seen {
    pub fn new(codes: &[i32], screen: &[&str], log: &[&str], sms: usize) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Self {
            codes: codes.to_vec(),
            screen: owned(screen),
            log: owned(log),
            sms,
        }
    }

    /// Password, SMS, code, in.
    pub fn granted() -> Self {
        Self::new(&[code::SUCCESS], &[ASKS, SENT], GRANTED, 1)
    }

    /// In, without being asked for a password.
    pub fn granted_by_code() -> Self {
        Self::new(&[code::SUCCESS], &[SENT], GRANTED, 1)
    }

    /// Refused after the password prompt, with this line and no word.
    pub fn refused(code: i32, line: &str) -> Self {
        Self::new(&[code], &[ASKS], &[line], 0)
    }

    /// Refused before any prompt.
    pub fn at_once(code: i32, line: &str) -> Self {
        Self::new(&[code], &[], &[line], 0)
    }

    /// Refused after the right password, with a last word, before any SMS.
    pub fn unsent(code: i32, text: &str, line: &str) -> Self {
        Self::new(&[code], &[ASKS, text], &[line], 0)
    }
}

/// A PAM service with settings of its own, and who comes to it. The case's name is the service's, so
/// that its lines can be told from others in the log.
pub struct Login<'b> {
    pub bench: &'b Bench,
    pub case: &'static str,
    pub folder: PathBuf,
    pub settings: Settings,
    arguments: String,
    stack: &'static str,
    line: Option<String>,
    host: PamHost,
    tag: Option<&'static str>,
    user: String,
    number: String,
    lifetime: u32,
    sms: Option<String>,
    owner: Option<u32>,
}

impl<'b> Login<'b> {
    /// Settings that work and do not wait, and a stack of our module alone.
    pub fn new(bench: &'b Bench, case: &'static str) -> Self {
        let folder = bench.folder(case);
        Self {
            bench,
            case,
            settings: bench
                .settings()
                .text("password.refuse_after", "0s")
                .text("ldap.timeout", "20s")
                .text("twilio.timeout", "20s"),
            arguments: String::new(),
            stack: "auth required {}\n",
            line: None,
            host: PamHost::new(case, Some(&folder)),
            tag: None,
            user: String::new(),
            number: String::new(),
            lifetime: 300,
            sms: None,
            owner: None,
            folder,
        }
    }

    /// Who comes.
    pub fn of(self, someone: &Someone) -> Self {
        self.user(someone.person.uid()).number(&someone.number)
    }

    pub fn user(mut self, name: &str) -> Self {
        self.host = self.host.user(name);
        name.clone_into(&mut self.user);
        self
    }

    /// On whose phone the SMS are counted.
    pub fn number(mut self, number: &str) -> Self {
        number.clone_into(&mut self.number);
        self
    }

    /// A setting, as text.
    pub fn text(self, key: &str, value: &str) -> Self {
        self.change(|settings| settings.text(key, value))
    }

    /// A setting, as TOML.
    pub fn set(self, key: &str, value: &str) -> Self {
        self.change(|settings| settings.set(key, value))
    }

    pub fn change(mut self, change: impl FnOnce(Settings) -> Settings) -> Self {
        self.settings = change(self.settings);
        self
    }

    /// What stands behind `config=` and `helper=`.
    pub fn arguments(mut self, arguments: &str) -> Self {
        arguments.clone_into(&mut self.arguments);
        self
    }

    /// The stack; `{}` stands for our module's line.
    pub fn stack(mut self, stack: &'static str) -> Self {
        self.stack = stack;
        self
    }

    /// The module's whole line.
    pub fn line(mut self, line: String) -> Self {
        self.line = Some(line);
        self
    }

    pub fn host(mut self, change: impl FnOnce(PamHost) -> PamHost) -> Self {
        self.host = change(self.host);
        self
    }

    /// The name that the host's program has.
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.tag = Some(tag);
        self
    }

    /// The code's lifetime in seconds.
    pub fn lifetime(mut self, seconds: u32) -> Self {
        self.lifetime = seconds;
        self.text("code.lifetime", &format!("{seconds}s"))
    }

    /// What the SMS says, with `{}` for the code; otherwise it is the standard text.
    pub fn sms(mut self, text: &str) -> Self {
        self.sms = Some(text.to_owned());
        self
    }

    /// The settings file belongs to this user.
    pub fn owner(mut self, uid: u32) -> Self {
        self.owner = Some(uid);
        self
    }

    pub fn config(&self) -> PathBuf {
        self.folder.join("sms_otp.toml")
    }

    /// The module's line, without the arguments of the case.
    pub fn product_line(&self) -> String {
        self.bench.product().line(&self.config())
    }

    /// Runs it and compares all that is seen.
    pub fn sees(&self, what: &str, says: &[Say], want: &Seen) -> Transcript {
        let (transcript, mut seen) = self.run(says, want.log.len());
        if self.bench.without_world().is_some() {
            // The real machine's log is not ours to read.
            seen.log.clone_from(&want.log);
        }
        assert_eq!(&seen, want, "{}: {what}", self.case);
        transcript
    }

    /// Runs it, waiting for so many lines in the log at least.
    pub fn run(&self, says: &[Say], lines: usize) -> (Transcript, Seen) {
        let config = self.config();
        self.settings.write(&config);
        if self.owner.is_some() {
            std::os::unix::fs::chown(&config, self.owner, self.owner).expect("root may chown");
        }
        let line = match &self.line {
            Some(line) => line.clone(),
            None => format!("{} {}", self.product_line(), self.arguments),
        };
        let stack = self.stack.replace("{}", &line);
        self.bench.stack(&self.folder, self.case, &stack);
        let logged = self.logged().len();
        let arrived = self.arrived().len();
        let mut says = says.iter();
        let transcript = self.host.run(|_| match says.next() {
            Some(say) => self.answer(*say, arrived),
            None => Answer::HangUp,
        });
        let lines: Vec<Line> = self.settle(logged + lines).split_off(logged);
        let sms = self.arrived().split_off(arrived);
        self.judge(&transcript, &lines, &sms);
        let seen = Seen {
            codes: transcript.codes(),
            screen: transcript
                .messages
                .iter()
                .map(|message| self.shown(message, &lines))
                .collect(),
            log: lines.iter().map(|line| self.told(line)).collect(),
            sms: sms.len(),
        };
        (transcript, seen)
    }

    fn answer(&self, say: Say, arrived: usize) -> Answer {
        let newest = || {
            let sms = self.arrived();
            let sms = sms.get(arrived..).and_then(<[Sms]>::last);
            sms.unwrap_or_else(|| panic!("{}: no SMS to {}", self.case, self.number))
                .code()
        };
        match say {
            Say::Password => PASSWORD.into(),
            Say::Code => newest().into(),
            Say::FirstCode => self.arrived()[arrived].code().into(),
            Say::SpacedCode => {
                let code = newest();
                format!(" {} - {} ", &code[..3], &code[3..]).into()
            }
            Say::WrongCode => wrong(&newest()).into(),
            Say::Text(text) => text.into(),
            Say::Bytes(bytes) => Answer::Bytes(bytes.to_vec()),
            Say::Long(length) => "x".repeat(length).into(),
            Say::CodeAfter(seconds) => {
                std::thread::sleep(Duration::from_secs(seconds));
                newest().into()
            }
            Say::Null => Answer::Null,
            Say::HangUp => Answer::HangUp,
            Say::Die => Answer::Die,
        }
    }

    /// Every SMS that reached this login's phone.
    pub fn arrived(&self) -> Vec<Sms> {
        self.bench.twilio().sms_to(&self.number)
    }

    /// How often Twilio was asked to send to this phone.
    pub fn requests(&self) -> usize {
        let number = self.number.trim_start_matches('+');
        let asked = |body: &[u8]| String::from_utf8_lossy(body).contains(number);
        let requests = self.bench.twilio().requests();
        requests.iter().filter(|post| asked(&post.body)).count()
    }

    /// The lines of this service so far.
    fn logged(&self) -> Vec<Line> {
        if self.bench.without_world().is_some() {
            return Vec::new();
        }
        let head = format!("pam_sms_otp({}:auth): ", self.case);
        let mut lines = self.bench.world().log().lines_with(&[&head]);
        // What libpam itself says in the name of whoever asked.
        lines.retain(|line| !line.message.ends_with(": conversation failed"));
        lines
    }

    /// The lines, when there are so many and all that was written is read.
    fn settle(&self, wanted: usize) -> Vec<Line> {
        if self.bench.without_world().is_some() {
            return Vec::new();
        }
        let until = Instant::now() + Duration::from_secs(5);
        while self.logged().len() < wanted && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        let mark = format!("the end of {} at {until:?}", self.case);
        let socket = UnixDatagram::unbound().expect("a socket");
        socket
            .send_to(mark.as_bytes(), "/dev/log")
            .expect("our /dev/log");
        self.bench
            .world()
            .log()
            .wait_for(&[&mark], Duration::from_secs(10));
        self.logged()
    }

    /// What has to be so in every login.
    fn judge(&self, seen: &Transcript, lines: &[Line], sms: &[Sms]) {
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
        let codes: Vec<String> = sms.iter().map(Sms::code).collect();
        for line in lines {
            let raw = &line.raw;
            assert_eq!(line.facility, 10, "{case}: {raw}");
            let severity = match line.message.split(' ').nth(1) {
                Some("sent" | "granted") => 6,
                Some("denied") => 5,
                Some("debug") => 7,
                _ => 3,
            };
            assert_eq!(line.severity, severity, "{case}: {raw}");
            assert_eq!(line.tag, self.tag.unwrap_or(&program), "{case}: {raw}");
            // The module's own line goes through syslog(3), whose pid is for the host to ask for.
            let own = line.field("stage") == Some("helper");
            assert!(
                line.pid == Some(seen.pid) || own && line.pid.is_none(),
                "{case}: {raw}"
            );
            let printable = line.message.bytes().all(|b| (b' '..=b'~').contains(&b));
            assert!(printable, "{case}: {raw}");
            let account = self.bench.twilio().account();
            let bind = lab::slapd::Slapd::BIND_PASSWORD;
            for secret in [PASSWORD, &self.number, &account.token, bind] {
                assert!(
                    secret.is_empty() || !raw.contains(secret),
                    "{case}: {secret} in {raw}"
                );
            }
            for code in &codes {
                // As a word: a login's or a message's own number may hold the same digits.
                let has = raw.split(|c: char| !c.is_ascii_alphanumeric());
                assert!(!has.into_iter().any(|word| word == code), "{case}: {raw}");
            }
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

    fn shown(&self, message: &Message, lines: &[Line]) -> String {
        let sign = match message.style {
            Style::Hidden => '*',
            Style::Shown => '>',
            Style::Error => '!',
            Style::Info => '-',
        };
        let mut text = message.text.replace(&masked(&self.number), "PHONE");
        let logins: BTreeSet<&str> = lines.iter().filter_map(|l| l.field("login")).collect();
        for login in logins {
            text = text.replace(login, "LOGIN");
        }
        if self.bench.without_world().is_some() {
            // Without a log nobody knows which number it is.
            if let Some((before, rest)) = text.split_once("(login ") {
                let end = rest.find(')').unwrap_or(rest.len());
                text = format!("{before}(login LOGIN{}", &rest[end..]);
            }
        }
        format!("{sign}{text}")
    }

    /// A line without what every line has: the module's name, login, user, rhost, and what differs
    /// each time.
    fn told(&self, line: &Line) -> String {
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

/// As many digits, and others.
fn wrong(code: &str) -> String {
    let last = code.len() - 1;
    let digit = if code.ends_with('0') { '1' } else { '0' };
    format!("{}{digit}", &code[..last])
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
