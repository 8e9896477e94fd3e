//! Runs one visit: one visitor and one stack.

use super::table::{Host, Stack};
use super::visitors::{Before, Code, Password, Visitor, Who, World};
use crate::module::login::{Login, PASSWORD};
use lab::Lab;
use lab::listeners::Refused;
use lab::machine::{Account, User};
use lab::pamhost::{Answer, Message, PamHost, Style, code};
use lab::slapd;
use lab::twilio::wrong_code;
use std::path::PathBuf;

/// The password in `/etc/shadow` of a user with another one in the directory.
const SHADOW: &str = "another horse, battery";
const WRONG: &str = "wrong horse, battery";
const ORIGIN: &str = "192.0.2.7";
const KEY: &str = "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA";
/// More prompts than any stack shows; then the visitor disconnects.
const MAX_PROMPTS: usize = 12;

/// The result of a visit.
pub struct Seen {
    pub is_in: bool,
    pub sms: usize,
    /// Whether a first factor was right: a key, or a password that a module of the stack can verify.
    pub first: bool,
    /// The maximum number of right factors. A remembered login counts as the code of the earlier login.
    pub factors: usize,
    /// Contradictions in the result.
    pub oddities: Vec<String>,
}

impl Seen {
    /// The cell of the table: granted (`+`, or `!` with less than two factors) or refused (`-`), the number of SMS
    /// and of factors.
    pub fn cell(&self) -> String {
        let sign = match (self.is_in, self.factors) {
            (true, 2..) => '+',
            (true, _) => '!',
            (false, _) => '-',
        };
        format!("{sign}{}{}", self.sms, self.factors)
    }
}

/// The factors that a visitor has given so far.
#[derive(Default)]
struct Given {
    password: bool,
    code: bool,
    answers: usize,
}

/// The users of one worker.
pub struct Users<'b> {
    lab: &'b Lab,
    worker: usize,
    member: (Account, String),
    split: (Account, String),
    system: (Account, String),
    local: Account,
    target: Account,
    /// A port that refuses connections.
    dead: Refused,
    /// A script that replaces `pam_sss.so`, run by `pam_exec.so`.
    sss: PathBuf,
}

impl<'b> Users<'b> {
    pub fn new(lab: &'b Lab, worker: usize) -> Self {
        let name = |what: &str| format!("stacks-{what}-{worker}");
        let account = |what: &str, password: &str, uid: Option<u32>| {
            let user = User::new(&name(what)).password(password);
            let user = uid.map_or(user.clone(), |uid| user.uid(uid));
            lab.machine().add(&user)
        };
        let in_both = |what: &str, shadow: &str, uid: Option<u32>| {
            let number = lab.number();
            let user = slapd::LdapUser::new(&name(what)).password(PASSWORD);
            lab.slapd().add(&user.phone(&number));
            (account(what, shadow, uid), number)
        };
        let uid = 700 + u32::try_from(worker).expect("few workers");
        let sss = lab.folder(&name("sss")).join("sss");
        // It accepts the users of the directory that are not system accounts.
        let script = format!(
            "#!/bin/sh\ncase $PAM_USER in *-member-* | *-split-*) ;; *) exit 1 ;; esac\n\
             [ \"$(tr -d '\\0')\" = '{PASSWORD}' ]\n"
        );
        lab::scratch::write(&sss, 0o755, script);
        Self {
            lab,
            worker,
            member: in_both("member", PASSWORD, None),
            split: in_both("split", SHADOW, None),
            system: in_both("system", PASSWORD, Some(uid)),
            local: account("local", PASSWORD, None),
            target: account("target", PASSWORD, None),
            dead: Refused::new(),
            sss,
        }
    }

    /// The name, uid and phone number of a user.
    fn user(&self, who: Who) -> (String, u32, &str) {
        let (account, number) = match who {
            Who::Member => (&self.member.0, self.member.1.as_str()),
            Who::Split => (&self.split.0, self.split.1.as_str()),
            Who::System => (&self.system.0, self.system.1.as_str()),
            Who::Local => (&self.local, ""),
            Who::Unknown => return (format!("stacks-unknown-{}", self.worker), 29_999, ""),
        };
        (account.name.clone(), account.uid, number)
    }

    /// Runs a visit and returns its result.
    pub fn visit(&self, stack: &Stack, host: Host, row: usize, visitor: &Visitor) -> Seen {
        let mut login = self.login(host, row, visitor);
        let mut earned = None;
        // Root is never remembered.
        if visitor.before != Before::Nothing && host != Host::Root {
            // With the same service, settings and ledger, but another stack.
            login = login.stack("auth optional pam_permit.so\nauth required {} password=stack\n");
            let right = visitor.before == Before::Remembered;
            let mut given = Given::default();
            let code = if right { Code::Right } else { Code::Wrong };
            let answer =
                |message: &Message| answer(&login, message, Password::Right, code, &mut given);
            let (transcript, _) = login.run_with(2, answer);
            let is_in = transcript.codes() == [code::SUCCESS];
            assert_eq!(is_in, right, "{}: the login before", login.case);
            earned = right.then(|| login.newest_field("login"));
        }
        for (name, lines) in &stack.files {
            let text = self
                .written(&login, lines)
                .replace("{}", &login.product_line());
            self.lab.stack(&login.folder, name, &text);
        }
        let lines = self.written(&login, &stack.lines);
        login = login.stack(lines.leak());
        run(&login, stack, host, visitor, earned.as_deref())
    }

    /// The lines as libpam reads them, with `{}` for our module.
    fn written(&self, login: &Login, lines: &[String]) -> String {
        let sss = format!(" pam_exec.so expose_authtok quiet {}", self.sss.display());
        let folder = login.folder.display().to_string();
        // libpam searches included files in /etc/pam.d only, even with another directory.
        let included = |line: &String| match line.rsplit_once(' ') {
            Some((before @ ("auth include" | "auth substack"), name)) => {
                format!("{before} {folder}/{name}\n")
            }
            _ => format!("{line}\n"),
        };
        let text: String = lines.iter().map(included).collect();
        text.replace(" pam_sss.so use_first_pass", &sss)
            .replace(" pam_sms_otp.so", " {}")
            .replace("/nowhere", &folder)
    }

    /// A service for this visit, with its own settings and a new ledger.
    fn login(&self, host: Host, row: usize, visitor: &Visitor) -> Login<'b> {
        let case: &'static str = format!("stacks-{row}-{}", visitor.name).leak();
        let (name, uid, number) = self.user(visitor.who);
        let login = Login::new(self.lab, case);
        let ledger = login.folder.join("ledger").display().to_string();
        let login = login
            .rhost(ORIGIN)
            .text("ledger.path", &ledger)
            .number(number)
            .host(PamHost::no_delay);
        let login = match host {
            Host::Plain => login.user(&name),
            Host::Key => login.user(&name).host(|host| host.pam_env(KEY)),
            Host::Caller | Host::Root => {
                let mut caller = self.local.clone();
                caller.uid = if host == Host::Root { 0 } else { uid };
                login
                    .user(&self.target.name)
                    .text("password.source", "stack")
                    .text("policy.subject", "caller")
                    .host(|host| host.setuid_for(&caller))
            }
        };
        let dead = format!("//127.0.0.1:{}", self.dead.port());
        let login = match visitor.world {
            World::Fine => login,
            World::DirectoryDown => login.set("ldap.uris", &format!("[\"ldaps:{dead}\"]")),
            World::TwilioDown => login.text("twilio.api_url", &format!("https:{dead}")),
            World::BadSettings => login.set("code.digit", "6"),
        };
        match visitor.before {
            Before::Nothing => login,
            Before::Locked => login.set("limits.disable_after", "1"),
            Before::Remembered => login.text("policy.remember", "1h"),
        }
    }
}

fn run(login: &Login, stack: &Stack, host: Host, visitor: &Visitor, earned: Option<&str>) -> Seen {
    let mut given = Given::default();
    let answer =
        |message: &Message| answer(login, message, visitor.password, visitor.code, &mut given);
    let (transcript, seen) = login.run_with(0, answer);
    let first = host == Host::Key || (given.password && can_verify(stack, host, visitor));
    let skipped = seen.log().iter().any(|line| line.starts_with("skipped "));
    let remembered = skipped && earned == Some(login.newest_field("earned").as_str());
    let granted = seen.log().iter().any(|line| line.starts_with("granted"));
    let sent = seen.log().iter().filter(|line| line.starts_with("sent"));
    let prompted = seen
        .screen()
        .iter()
        .any(|text| text.starts_with(">Code sent"));
    let is_in = seen.codes() == [code::SUCCESS];
    let factors = usize::from(first) + usize::from(given.code) + usize::from(remembered);
    let odd = [
        (seen.codes() == [code::IGNORE], "the host gets PAM_IGNORE"),
        (
            sent.count() != seen.sms(),
            "the log has another number of SMS",
        ),
        (
            prompted != (seen.sms() > 0),
            "a code prompt without an SMS, or an SMS without a prompt",
        ),
        (granted != given.code, "the log contradicts the code"),
        (
            skipped && !remembered,
            "skipped, but not for the remembered login",
        ),
        (
            is_in && factors > 1 && !granted && !skipped,
            "granted, but not by us",
        ),
        (transcript.messages.len() > MAX_PROMPTS, "too many prompts"),
    ];
    let odd = odd.into_iter().filter(|(is, _)| *is);
    Seen {
        is_in,
        sms: seen.sms(),
        first,
        factors,
        oddities: odd.map(|(_, what)| format!("{what}: {seen:?}")).collect(),
    }
}

/// Whether a module of this stack can verify the password of the visitor.
fn can_verify(stack: &Stack, host: Host, visitor: &Visitor) -> bool {
    let text = stack.whole();
    let unix = text.contains("pam_unix.so");
    let directory = text.contains("pam_sss.so")
        || (["password=ldap", "password=auto"]
            .iter()
            .any(|source| text.contains(source))
            && matches!(visitor.world, World::Fine | World::TwilioDown));
    match (visitor.password, visitor.who, host) {
        (Password::Wrong | Password::Empty, ..)
        | (Password::Right, Who::Unknown, Host::Plain | Host::Key) => false,
        // The password of the target user, in /etc/shadow.
        (Password::Right, _, Host::Caller | Host::Root) | (Password::Right, Who::Local, _) => unix,
        (Password::Right, Who::Member | Who::System, _) => unix || directory,
        (Password::Right, Who::Split, _) => directory,
        (Password::Shadow, ..) => unix && matches!(host, Host::Plain | Host::Key),
    }
}

/// The answer to a prompt; `given` records the right ones.
fn answer(
    login: &Login,
    message: &Message,
    password: Password,
    code: Code,
    given: &mut Given,
) -> Answer {
    given.answers += 1;
    if given.answers > MAX_PROMPTS {
        return Answer::ConvErr;
    }
    if message.style == Style::Hidden {
        given.password = true;
        let text = match password {
            Password::Right => PASSWORD,
            Password::Shadow => SHADOW,
            Password::Wrong => WRONG,
            Password::Empty => "",
        };
        return text.into();
    }
    let newest = || login.arrived().last().map(lab::twilio::Sms::code);
    match (code, newest()) {
        (Code::Right, Some(code)) => {
            given.code = true;
            code.into()
        }
        (Code::Wrong, Some(code)) => wrong_code(&code).into(),
        (Code::None, _) | (_, None) => Answer::ConvErr,
    }
}
