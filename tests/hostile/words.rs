//! Words of strangers, in each place where one can put them: nothing becomes a log line, a field, a
//! filter, a header or a command to a terminal.
//!
//! Every value goes into every place. What is judged is the same each time: each datagram to the log is
//! one line of ours to the last byte, the screen is printable, the SMS says what it should, and
//! directory and Twilio were asked exactly what they should have been.

mod places;
mod values;

use crate::Case;
use crate::module::PASSWORD;
use crate::module::login::Login;
use lab::bench::Bench;
use lab::ldap::{self, Ldap, Script};
use lab::log::Event;
use lab::pamhost::{Answer, Style};
use lab::twilio::{Sms, http};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};
use values::{VALUES, Value};

pub const CASES: &[Case] = &[
    ("hostile::words::of_the_host", places::of_the_host),
    ("hostile::words::of_the_directory", places::of_the_directory),
    ("hostile::words::of_other_servers", places::of_other_servers),
];

/// One login's surroundings: a directory that says anything, and a phone.
struct Stage<'b> {
    bench: &'b Bench,
    case: &'static str,
    ldap: Ldap,
    number: String,
}

/// What was seen of one login.
struct Told {
    codes: Vec<i32>,
    screen: Vec<String>,
    events: Vec<Event>,
    sms: Vec<Sms>,
    /// What the directory was asked.
    asked: Vec<Vec<u8>>,
}

impl Told {
    fn names(&self) -> Vec<&str> {
        self.events
            .iter()
            .map(|event| event.name.as_str())
            .collect()
    }

    /// A field of the newest line.
    fn field(&self, name: &str) -> Option<&[u8]> {
        self.events.last()?.field(name)
    }
}

impl<'b> Stage<'b> {
    fn new(bench: &'b Bench, case: &'static str) -> Self {
        let stage = Self {
            bench,
            case,
            ldap: Ldap::start(),
            number: bench.number(),
        };
        stage.ldap.set_script(stage.script());
        stage
    }

    /// Somebody with this phone, who may come in.
    fn script(&self) -> Script {
        let number = self.number.clone().into_bytes();
        Script {
            dn: format!("uid={},ou=people,dc=example,dc=org", self.case).into_bytes(),
            attributes: vec![
                (b"phoneNumberVerified".to_vec(), vec![b"TRUE".to_vec()]),
                (b"mobile".to_vec(), vec![number]),
            ],
            ..Script::default()
        }
    }

    fn login(&self) -> Login<'b> {
        Login::new(self.bench, self.case)
            .user("words")
            .number(&self.number)
            .set("ldap.uris", &format!("[{:?}]", self.ldap.url()))
            .text("messages.password", "{user}|{rhost}|{service} Password:")
            .text(
                "messages.code",
                "{user}|{rhost}|{service} Verification code:",
            )
            .text("messages.sms", "{code} {user}|{rhost}|{service}.")
    }

    /// Runs it: the right password, the right code. Judges what is the same everywhere.
    fn run(&self, what: &str, login: &Login, lines: usize) -> Told {
        let told = self.run_waiting(what, login, lines);
        assert_eq!(told.events.len(), lines, "{what}: {:?}", told.events);
        told
    }

    /// The same, where it is not known how it ends.
    fn run_any(&self, what: &str, login: &Login) -> Told {
        self.run_waiting(what, login, 1)
    }

    fn run_waiting(&self, what: &str, login: &Login, lines: usize) -> Told {
        let log = self.bench.world().log();
        let logged = log.lines().len();
        let arrived = login.arrived().len();
        let requests = self.bench.twilio().requests().len();
        self.ldap.take_requests();
        let transcript = login.transcript(|message| match message.style {
            Style::Hidden => PASSWORD.into(),
            _ => login.arrived()[arrived..]
                .last()
                .map_or(Answer::HangUp, |sms| sms.code().into()),
        });
        let own_head = format!("pam_sms_otp({}:auth): ", self.case);
        let lines_of = || {
            let mut lines = log.lines().split_off(logged);
            lines.retain(|line| {
                line.pid == Some(transcript.pid)
                    || line.pid.is_none() && line.raw.contains(&own_head)
            });
            lines
        };
        let until = Instant::now() + Duration::from_secs(5);
        while lines_of().len() < lines && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        // Everything that was written before this is read.
        let mark = format!("the end of {what} of {} in {until:?}", self.case);
        let socket = UnixDatagram::unbound().expect("a socket");
        socket
            .send_to(mark.as_bytes(), "/dev/log")
            .expect("our log");
        log.wait_for(&[&mark], Duration::from_secs(10));

        assert_eq!(transcript.stray, "", "{what}");
        let left = transcript.before.changes(&transcript.after);
        assert_eq!(left, Vec::<String>::new(), "{what}");
        let mut events = Vec::new();
        for line in lines_of() {
            let printable = line.raw.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            assert!(printable && line.raw.len() < 2000, "{what}: {:?}", line.raw);
            let event = line.event();
            events.push(event.unwrap_or_else(|| panic!("{what}: {:?}", line.raw)));
        }
        for message in &transcript.messages {
            let prompt = matches!(message.style, Style::Hidden | Style::Shown);
            let fine = |c: char| (' '..='~').contains(&c) || !prompt && is_visible(c);
            assert!(message.text.chars().all(fine), "{what}: {message:?}");
            assert!(message.text.len() < 512, "{what}: {message:?}");
        }
        let sms = login.arrived().split_off(arrived);
        self.judge_requests(what, requests, &sms);
        let texts = transcript.texts().into_iter().map(str::to_owned);
        Told {
            codes: transcript.codes(),
            screen: texts.collect(),
            events,
            sms,
            asked: self.ldap.take_requests(),
        }
    }

    /// What Twilio was asked on behalf of this phone: these headers and fields, each once.
    fn judge_requests(&self, what: &str, before: usize, sms: &[Sms]) {
        let requests = self.bench.twilio().requests().split_off(before);
        let number = self.number.trim_start_matches('+');
        let mut ours = requests.iter().filter(|request| {
            let body = String::from_utf8_lossy(&request.body);
            body.starts_with(&format!("To=%2B{number}&"))
        });
        for one in sms {
            assert!(is_printable(&one.body), "{what}: {:?}", one.body);
            let request = ours.next().expect("a request for each SMS");
            let account = self.bench.twilio().account();
            let path = format!("/2010-04-01/Accounts/{}/Messages.json", account.sid);
            assert_eq!(
                (&*request.method, &*request.path, &*request.query),
                ("POST", &*path, "")
            );
            let mut names: Vec<String> = request
                .headers
                .iter()
                .map(|(name, _)| name.to_lowercase())
                .collect();
            names.sort();
            let headers = [
                "accept",
                "authorization",
                "content-length",
                "content-type",
                "host",
                "user-agent",
            ];
            assert_eq!(names, headers, "{what}");
            let body = std::str::from_utf8(&request.body).expect("a form");
            let fields = http::form(body).expect("a form");
            let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["To", "From", "Body", "ValidityPeriod"], "{what}");
            assert_eq!(fields[0].1, self.number, "{what}");
            assert_eq!(fields[2].1, one.body, "{what}");
        }
    }
}

fn is_printable(text: &str) -> bool {
    text.chars().all(is_visible)
}

/// Neither a control character nor one of those that nobody sees and every terminal obeys.
fn is_visible(c: char) -> bool {
    let invisible = [
        '\u{ad}'..='\u{ad}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{feff}'..='\u{feff}',
    ];
    !c.is_control() && !invisible.iter().any(|range| range.contains(&c))
}

/// A value as the log has it: cut off at 400 bytes as they are written.
fn is_logged_as(value: &[u8], field: Option<&[u8]>) -> bool {
    match field {
        Some(field) if field == value => true,
        Some(field) => field
            .strip_suffix(b"...")
            .is_some_and(|start| start.len() >= 90 && value.starts_with(start)),
        None => false,
    }
}
