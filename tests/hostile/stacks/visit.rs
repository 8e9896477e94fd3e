//! One person comes to one stack.

use super::people::{Before, Code, Password, Person, Who, World};
use super::table::{Host, Stack};
use crate::module::login::{Login, PASSWORD};
use lab::bench::Bench;
use lab::listeners::Refused;
use lab::pamhost::{Answer, Message, PamHost, Style, code};
use lab::slapd;
use lab::twilio::wrong_code;
use lab::world::{Account, User};
use std::path::PathBuf;

/// The password in `/etc/shadow` of who has another in the directory.
const SHADOW: &str = "another horse, battery";
const WRONG: &str = "wrong horse, battery";
const ORIGIN: &str = "192.0.2.7";
const KEY: &str = "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA";
/// More prompts than any stack has: whoever is asked so often goes.
const MANY: usize = 12;

/// What was seen of a visit.
pub struct Seen {
    pub is_in: bool,
    pub sms: usize,
    /// A first factor was right: a key, or a password that something in the stack can prove.
    pub first: bool,
    /// How many factors were right, at the most. A remembered login counts as the code that earned it.
    pub factors: usize,
    /// What does not fit together.
    pub oddities: Vec<String>,
}

impl Seen {
    /// In (`+`, or `!` with less than two factors) or out, SMS, factors.
    pub fn cell(&self) -> String {
        let sign = match (self.is_in, self.factors) {
            (true, 2..) => '+',
            (true, _) => '!',
            (false, _) => '-',
        };
        format!("{sign}{}{}", self.sms, self.factors)
    }
}

/// What a person has given so far.
#[derive(Default)]
struct Given {
    password: bool,
    code: bool,
    answers: usize,
}

/// The people of one worker.
pub struct Cast<'b> {
    bench: &'b Bench,
    worker: usize,
    member: (Account, String),
    split: (Account, String),
    system: (Account, String),
    local: Account,
    target: Account,
    /// Where nobody answers.
    dead: Refused,
    /// Stands in for `pam_sss.so`, with `pam_exec.so`.
    sss: PathBuf,
}

impl<'b> Cast<'b> {
    pub fn new(bench: &'b Bench, worker: usize) -> Self {
        let name = |what: &str| format!("stacks-{what}-{worker}");
        let account = |what: &str, password: &str, uid: Option<u32>| {
            let user = User::new(&name(what)).password(password);
            let user = uid.map_or(user.clone(), |uid| user.uid(uid));
            bench.world().add(&user)
        };
        let in_both = |what: &str, shadow: &str, uid: Option<u32>| {
            let number = bench.number();
            let person = slapd::Person::new(&name(what)).password(PASSWORD);
            bench.slapd().add(&person.phone(&number));
            (account(what, shadow, uid), number)
        };
        let uid = 700 + u32::try_from(worker).expect("few workers");
        let sss = bench.folder(&name("sss")).join("sss");
        // It knows those of the directory who are people.
        let script = format!(
            "#!/bin/sh\ncase $PAM_USER in *-member-* | *-split-*) ;; *) exit 1 ;; esac\n\
             [ \"$(tr -d '\\0')\" = '{PASSWORD}' ]\n"
        );
        lab::scratch::write(&sss, 0o755, script);
        Self {
            bench,
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

    /// His name, his uid and his phone.
    fn who(&self, who: Who) -> (String, u32, &str) {
        let (account, number) = match who {
            Who::Member => (&self.member.0, self.member.1.as_str()),
            Who::Split => (&self.split.0, self.split.1.as_str()),
            Who::System => (&self.system.0, self.system.1.as_str()),
            Who::Local => (&self.local, ""),
            Who::Unknown => return (format!("stacks-unknown-{}", self.worker), 29_999, ""),
        };
        (account.name.clone(), account.uid, number)
    }

    /// He comes: what became of it.
    pub fn visit(&self, stack: &Stack, host: Host, row: usize, person: &Person) -> Seen {
        let mut login = self.login(host, row, person);
        let mut earned = None;
        // Root is never remembered.
        if person.before != Before::Nothing && host != Host::Root {
            // With the same service, settings and ledger, whatever the stack is.
            login = login.stack("auth optional pam_permit.so\nauth required {} password=stack\n");
            let right = person.before == Before::Remembered;
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
            self.bench.stack(&login.folder, name, &text);
        }
        let lines = self.written(&login, &stack.lines);
        login = login.stack(lines.leak());
        come(&login, stack, host, person, earned.as_deref())
    }

    /// Lines as libpam is to read them, `{}` where ours are.
    fn written(&self, login: &Login, lines: &[String]) -> String {
        let sss = format!(" pam_exec.so expose_authtok quiet {}", self.sss.display());
        let folder = login.folder.display().to_string();
        // libpam looks for what is included in /etc/pam.d only, whatever folder it was given.
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

    /// A service of his own, with his settings and a fresh ledger.
    fn login(&self, host: Host, row: usize, person: &Person) -> Login<'b> {
        let case: &'static str = format!("stacks-{row}-{}", person.name).leak();
        let (name, uid, number) = self.who(person.who);
        let login = Login::new(self.bench, case);
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
        let login = match person.world {
            World::Fine => login,
            World::DirectoryDown => login.set("ldap.uris", &format!("[\"ldaps:{dead}\"]")),
            World::TwilioDown => login.text("twilio.api_url", &format!("https:{dead}")),
            World::BadSettings => login.set("code.digit", "6"),
        };
        match person.before {
            Before::Nothing => login,
            Before::Locked => login.set("limits.disable_after", "1"),
            Before::Remembered => login.text("policy.remember", "1h"),
        }
    }
}

fn come(login: &Login, stack: &Stack, host: Host, person: &Person, earned: Option<&str>) -> Seen {
    let mut given = Given::default();
    let answer =
        |message: &Message| answer(login, message, person.password, person.code, &mut given);
    let (transcript, seen) = login.run_with(0, answer);
    let first = host == Host::Key || (given.password && can_prove(stack, host, person));
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
        (
            seen.codes() == [code::IGNORE],
            "the host is told PAM_IGNORE",
        ),
        (
            sent.count() != seen.sms(),
            "SMS and lines in the log differ",
        ),
        (
            prompted != (seen.sms() > 0),
            "SMS and prompts for a code differ",
        ),
        (
            granted != given.code,
            "a code is right, or is not, and the log says otherwise",
        ),
        (
            skipped && !remembered,
            "skipped, and not for the login that earned it",
        ),
        (
            is_in && factors > 1 && !granted && !skipped,
            "in, and not by us",
        ),
        (transcript.messages.len() > MANY, "he is asked and asked"),
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

/// Whether something in this stack can prove the password that he types.
fn can_prove(stack: &Stack, host: Host, person: &Person) -> bool {
    let text = stack.whole();
    let unix = text.contains("pam_unix.so");
    let directory = text.contains("pam_sss.so")
        || (["password=ldap", "password=auto"]
            .iter()
            .any(|source| text.contains(source))
            && matches!(person.world, World::Fine | World::TwilioDown));
    match (person.password, person.who, host) {
        (Password::Wrong | Password::Empty, ..)
        | (Password::Right, Who::Unknown, Host::Plain | Host::Key) => false,
        // The target's, which is in /etc/shadow.
        (Password::Right, _, Host::Caller | Host::Root) | (Password::Right, Who::Local, _) => unix,
        (Password::Right, Who::Member | Who::System, _) => unix || directory,
        (Password::Right, Who::Split, _) => directory,
        (Password::Shadow, ..) => unix && matches!(host, Host::Plain | Host::Key),
    }
}

/// What he types, and whether it was right as far as he knows.
fn answer(
    login: &Login,
    message: &Message,
    password: Password,
    code: Code,
    given: &mut Given,
) -> Answer {
    given.answers += 1;
    if given.answers > MANY {
        return Answer::HangUp;
    }
    if message.style == Style::Hidden {
        given.password = true;
        let words = match password {
            Password::Right => PASSWORD,
            Password::Shadow => SHADOW,
            Password::Wrong => WRONG,
            Password::Empty => "",
        };
        return words.into();
    }
    let newest = || login.arrived().last().map(lab::twilio::Sms::code);
    match (code, newest()) {
        (Code::Right, Some(code)) => {
            given.code = true;
            code.into()
        }
        (Code::Wrong, Some(code)) => wrong_code(&code).into(),
        (Code::None, _) | (_, None) => Answer::HangUp,
    }
}
