//! One login through the module, and everything that is visible of it from outside.

mod lines;
mod people;
mod seen;
mod typed;

pub use people::{Someone, known, someone, with_outage};
pub use seen::{
    ASKS, BAD_NUMBER, GRANTED, GUESSES, LATER, NEW_PHONE, NO_CODE, NOT_SENT, NOT_VERIFIED,
    PASSWORD_EXPIRED, RESENT, SENT, STOPPED, Seen, TOO_MANY,
};
pub use typed::Say;

use crate::skipped::skip;
use lab::Lab;
use lab::log::Line;
use lab::pamhost::{Answer, At, Message, PamHost, Transcript};
use lab::process::program;
use lab::processes;
use lab::settings::Settings;
use lab::twilio::{Sms, Twilio};
use rustix::process::Pid;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The password of all test users.
pub const PASSWORD: &str = "correct horse, battery";

/// Copies a program in another process. In this one a concurrent fork could hold the copy open for
/// writing, and execve(2) then fails with ETXTBSY.
pub fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status();
    assert!(status.is_ok_and(|status| status.success()));
    lab::scratch::set_mode(to, 0o755);
}

/// A PAM service with its own settings, and the user who logs in. The name of the case is the name of the
/// service, which identifies its log lines.
pub struct Login<'b> {
    pub lab: &'b Lab,
    pub case: &'static str,
    pub folder: PathBuf,
    pub settings: Settings,
    arguments: String,
    stack: &'static str,
    line: Option<String>,
    host: PamHost,
    twilio: &'b Twilio,
    tag: Option<&'static str>,
    /// The host's process id in its own PID namespace, if it has one.
    pid: Option<u32>,
    rhost: Option<&'static str>,
    user: String,
    number: String,
    lifetime: u32,
    sms: Option<String>,
    owner: Option<u32>,
}

impl<'b> Login<'b> {
    /// Settings that work without delays, and a stack of our module alone.
    pub fn new(lab: &'b Lab, case: &'static str) -> Self {
        let folder = lab.folder(case);
        // Without one libpam logs that it is missing, each time.
        lab.stack(&folder, "other", "auth required pam_deny.so\n");
        Self {
            lab,
            case,
            settings: lab
                .settings()
                .text("password.refuse_after", "0s")
                .text("ldap.timeout", "20s")
                .text("twilio.timeout", "20s"),
            arguments: String::new(),
            stack: "auth required {}\n",
            line: None,
            host: PamHost::new(case, Some(&folder)),
            twilio: lab.twilio(),
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

    /// The user who logs in.
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

    /// With its own stand-in for Twilio.
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

    /// The values of `config=` and `helper=`.
    pub fn arguments(mut self, arguments: &str) -> Self {
        arguments.clone_into(&mut self.arguments);
        self
    }

    /// The stack; `{}` is replaced by our module's line.
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

    /// The address of the client.
    pub fn rhost(mut self, rhost: &'static str) -> Self {
        self.rhost = Some(rhost);
        self.host(|host| host.item("rhost", rhost))
    }

    /// The name of the host program.
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

    /// The text of the SMS, with `{}` for the code; otherwise the standard text.
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
        copy_program(&self.lab.product().helper(), &copy);
        let line = self.lab.product().line_with(&self.config(), &copy);
        self.line(line)
    }

    /// Where [`Login::own_helper`] puts it.
    pub fn helper(&self) -> PathBuf {
        self.folder.join("own-helper")
    }

    /// The processes that run it now as a helper. Only root can see them.
    pub fn helpers(&self) -> Vec<Pid> {
        if self.lab.machine_error().is_some() {
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
        self.lab.product().line(&self.config())
    }

    /// Runs it and compares everything visible.
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
            None => Answer::ConvErr,
        })
    }

    /// The same; a closure answers each prompt.
    pub fn run_with(
        &self,
        lines: usize,
        person: impl FnMut(&Message) -> Answer,
    ) -> (Transcript, Seen) {
        self.run_watched(lines, person, |_, _| {})
    }

    /// The same; a closure inspects the host whenever it waits.
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
            log: lines.iter().map(|line| self.brief(line)).collect(),
            sms: sms.len(),
            unread: self.lab.machine_error().is_some(),
        };
        (transcript, seen)
    }

    /// Runs it and checks nothing: for hosts with unusual items.
    pub fn transcript(&self, person: impl FnMut(&Message) -> Answer) -> Transcript {
        self.set_up();
        self.watched(person, |_, _| {})
    }

    /// The same with settings and stack written already; a closure inspects the host.
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
        self.lab.stack(&self.folder, self.case, &stack);
    }

    /// Many at once, each with its own host and helper, and the same answers: the PAM codes, in no order.
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
}
