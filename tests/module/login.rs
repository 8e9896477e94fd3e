//! One login through the module, and everything that an outsider sees of it, put together.

mod people;
mod seen;

pub use people::{Someone, known, someone, with_outage};
pub use seen::{
    ASKS, BAD_NUMBER, GRANTED, GUESSES, LATER, NEW_PHONE, NO_CODE, NOT_SENT, NOT_VERIFIED,
    PASSWORD_EXPIRED, RESENT, SENT, STOPPED, Seen, TOO_MANY,
};

use crate::skipped::skip;
use lab::bench::Bench;
use lab::log::Line;
use lab::pamhost::{Answer, At, Message, PamHost, Transcript};
use lab::process::program;
use lab::processes;
use lab::settings::Settings;
use lab::twilio::{Sms, Twilio, another};
use rustix::process::Pid;
use seen::NO_LOG;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Everybody's password.
pub const PASSWORD: &str = "correct horse, battery";

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
    /// Nothing, after so many seconds.
    NothingAfter(u64),
    /// The right password, when the helper has been killed.
    KilledHelper,
    Text(&'static str),
    Bytes(&'static [u8]),
    /// One letter so many times.
    Long(usize),
    /// The code of the newest SMS, typed after so many seconds.
    CodeAfter(u64),
    Null,
    HangUp,
    Die,
    /// The right password, and the application has set this `PAM_USER`.
    PasswordOfAnother(&'static str),
    /// The code of the newest SMS, and the application has set this `PAM_USER`.
    CodeOfAnother(&'static str),
}

/// Copies a program by another process. In this one a fork of somebody else's could hold the copy open
/// for writing, and what is so cannot be executed.
pub fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status();
    assert!(status.is_ok_and(|status| status.success()));
    lab::scratch::set_mode(to, 0o755);
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
    twilio: &'b Twilio,
    tag: Option<&'static str>,
    /// The host's number where it runs, if it is another there.
    pid: Option<u32>,
    rhost: Option<&'static str>,
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
        // libpam logs that there is none, each time.
        bench.stack(&folder, "other", "auth required pam_deny.so\n");
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
            twilio: bench.twilio(),
            tag: None,
            pid: None,
            rhost: None,
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

    /// By a stand-in of his own.
    pub fn through(mut self, twilio: &'b Twilio) -> Self {
        self.twilio = twilio;
        self.text("twilio.api_url", &twilio.url())
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

    /// Where the person comes from.
    pub fn rhost(mut self, rhost: &'static str) -> Self {
        self.rhost = Some(rhost);
        self.host(|host| host.item("rhost", rhost))
    }

    /// The name that the host's program has.
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.tag = Some(tag);
        self
    }

    /// A host that is the first process of a PID namespace.
    pub fn first_process(mut self) -> Self {
        self.pid = Some(1);
        let unshare = program("unshare").display().to_string();
        self.host(|host| host.through(&[&unshare, "--pid", "--fork"]))
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

    /// With a copy of the helper that no other login uses.
    pub fn own_helper(self) -> Self {
        let copy = self.helper();
        copy_program(&self.bench.product().helper(), &copy);
        let line = self.bench.product().line_with(&self.config(), &copy);
        self.line(line)
    }

    /// Where [`Login::own_helper`] puts it.
    pub fn helper(&self) -> PathBuf {
        self.folder.join("own-helper")
    }

    /// The processes that run it now as a helper. Root alone may look.
    pub fn helpers(&self) -> Vec<Pid> {
        if self.bench.without_world().is_some() {
            skip("only a root with CAP_SYS_PTRACE sees which process is whose helper");
        }
        let own = self.helper();
        processes::all()
            .into_iter()
            .filter(|pid| processes::is_helper(*pid) && processes::executes(*pid, &own))
            .filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
            .collect()
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
        let (transcript, seen) = self.run(says, want.log.len());
        assert_eq!(&seen, want, "{}: {what}", self.case);
        transcript
    }

    /// Runs it, waiting for so many lines in the log at least.
    pub fn run(&self, says: &[Say], lines: usize) -> (Transcript, Seen) {
        let arrived = self.arrived().len();
        let mut says = says.iter();
        self.run_with(lines, |_| match says.next() {
            Some(say) => self.answer(*say, arrived),
            None => Answer::HangUp,
        })
    }

    /// The same, where somebody sees each prompt and answers it.
    pub fn run_with(
        &self,
        lines: usize,
        person: impl FnMut(&Message) -> Answer,
    ) -> (Transcript, Seen) {
        self.run_watched(lines, person, |_, _| {})
    }

    /// The same, where somebody looks at the host whenever it waits.
    pub fn run_watched(
        &self,
        lines: usize,
        person: impl FnMut(&Message) -> Answer,
        watch: impl FnMut(At, u32),
    ) -> (Transcript, Seen) {
        self.set_up();
        self.look(lines, person, watch)
    }

    /// The same, when settings and stack are written.
    pub fn look(
        &self,
        lines: usize,
        person: impl FnMut(&Message) -> Answer,
        watch: impl FnMut(At, u32),
    ) -> (Transcript, Seen) {
        let logged = self.logged().len();
        let arrived = self.arrived().len();
        let transcript = self.host.run_watched(person, watch);
        let lines: Vec<Line> = self.settle(logged + lines).split_off(logged);
        let sms = self.arrived().split_off(arrived);
        self.judge(&transcript, &lines, &sms);
        let logins = lines
            .iter()
            .filter_map(|line| line.field("login"))
            .collect();
        let seen = Seen {
            codes: transcript.codes(),
            screen: transcript
                .messages
                .iter()
                .map(|message| self.shown(message, &logins))
                .collect(),
            log: lines.iter().map(|line| self.told(line)).collect(),
            sms: sms.len(),
            unread: self.bench.without_world().is_some(),
        };
        (transcript, seen)
    }

    /// Runs it and judges nothing: for whoever makes the host's items what no host would.
    pub fn transcript(&self, person: impl FnMut(&Message) -> Answer) -> Transcript {
        self.set_up();
        self.watched(person, |_, _| {})
    }

    /// The same when settings and stack are written, where somebody looks at the host.
    pub fn watched(
        &self,
        person: impl FnMut(&Message) -> Answer,
        watch: impl FnMut(At, u32),
    ) -> Transcript {
        self.host.run_watched(person, watch)
    }

    /// Writes settings and stack.
    pub fn set_up(&self) {
        self.set_up_with(&self.settings);
    }

    /// The same with other settings.
    pub fn set_up_with(&self, settings: &Settings) {
        let config = self.config();
        settings.write(&config);
        if self.owner.is_some() {
            std::os::unix::fs::chown(&config, self.owner, self.owner).expect("root may chown");
        }
        let line = match &self.line {
            Some(line) => line.clone(),
            None => format!("{} {}", self.product_line(), self.arguments),
        };
        let stack = self.stack.replace("{}", &line);
        self.bench.stack(&self.folder, self.case, &stack);
    }

    /// Many at once, each a host and a helper of its own, and the same answers to each: what PAM
    /// was told, in no order.
    pub fn storm(&self, many: usize, answer: impl Fn(&Message) -> Answer + Sync) -> Vec<i32> {
        self.set_up();
        std::thread::scope(|scope| {
            let login = || self.host.run(&answer).codes()[0];
            let logins: Vec<_> = (0..many).map(|_| scope.spawn(login)).collect();
            let codes = logins
                .into_iter()
                .map(|login| login.join().expect("a login"));
            codes.collect()
        })
    }

    /// The newest line of this service, as it was written.
    pub fn newest_line(&self) -> String {
        let lines = self.readable();
        lines.last().expect("a line").message.clone()
    }

    /// The newest lines of this service, taken apart.
    pub fn newest_lines(&self, number: usize) -> Vec<Line> {
        let mut lines = self.readable();
        lines.split_off(lines.len() - number)
    }

    /// A field of that line.
    pub fn newest_field(&self, name: &str) -> String {
        let lines = self.readable();
        let field = lines.last().expect("a line").field(name);
        field.unwrap_or_else(|| panic!("no {name}=")).to_owned()
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
            Say::NothingAfter(seconds) => {
                std::thread::sleep(Duration::from_secs(seconds));
                "".into()
            }
            Say::KilledHelper => {
                for pid in self.helpers() {
                    rustix::process::kill_process(pid, rustix::process::Signal::KILL)
                        .expect("the helper is there");
                }
                PASSWORD.into()
            }
            Say::WrongCode => another(&newest()).into(),
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
            Say::PasswordOfAnother(name) => Answer::Renamed(name.to_owned(), PASSWORD.to_owned()),
            Say::CodeOfAnother(name) => Answer::Renamed(name.to_owned(), newest()),
        }
    }

    /// Every SMS that reached this login's phone.
    pub fn arrived(&self) -> Vec<Sms> {
        self.twilio.sms_to(&self.number)
    }

    /// How often Twilio was asked to send to this phone.
    pub fn requests(&self) -> usize {
        let number = self.number.trim_start_matches('+');
        let asked = |body: &[u8]| String::from_utf8_lossy(body).contains(number);
        let requests = self.twilio.requests();
        requests.iter().filter(|post| asked(&post.body)).count()
    }

    /// The lines of this service so far, for a case that needs them.
    fn readable(&self) -> Vec<Line> {
        if self.bench.without_world().is_some() {
            skip(NO_LOG);
        }
        self.logged()
    }

    /// The lines of this service so far.
    fn logged(&self) -> Vec<Line> {
        if self.bench.without_world().is_some() {
            return Vec::new();
        }
        let head = format!("pam_sms_otp({}:auth): ", self.case);
        let mut lines = self.bench.world().log().lines_that_begin(&head);
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
}
