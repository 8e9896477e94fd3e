//! Untrusted text in each place where it can occur: it never becomes a log line, a field, a filter, a header
//! or a command to a terminal.
//!
//! Each value is put into each place. The checks are the same each time: each datagram to the log is one
//! valid line, the screen is printable, the SMS has the expected text, and the requests to the directory and
//! to Twilio are exactly the expected ones.

mod places;
mod values;

use crate::Case;
use crate::module::PASSWORD;
use crate::module::login::Login;
use lab::Lab;
use lab::fake_ldap::{self, FakeLdap, Script};
use lab::log::Event;
use lab::pamhost::{Answer, Style};
use lab::twilio::{Sms, http};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};
use values::{VALUES, Value};

pub const CASES: &[Case] = &[
    (
        "hostile::untrusted_text::from_the_host",
        places::from_the_host,
    ),
    (
        "hostile::untrusted_text::from_the_directory",
        places::from_the_directory,
    ),
    (
        "hostile::untrusted_text::from_other_servers",
        places::from_other_servers,
    ),
];

/// The environment of one login: a directory with scripted responses, and a phone.
struct Environment<'b> {
    lab: &'b Lab,
    case: &'static str,
    ldap: FakeLdap,
    number: String,
}

/// What was observed of one login.
struct Observed {
    codes: Vec<i32>,
    screen: Vec<String>,
    events: Vec<Event>,
    sms: Vec<Sms>,
    /// Requests to the directory.
    ldap_requests: Vec<Vec<u8>>,
}

impl Observed {
    fn names(&self) -> Vec<&str> {
        self.events
            .iter()
            .map(|event| event.name.as_str())
            .collect()
    }

    /// Returns a field of the newest line.
    fn field(&self, name: &str) -> Option<&[u8]> {
        self.events.last()?.field(name)
    }
}

impl<'b> Environment<'b> {
    fn new(lab: &'b Lab, case: &'static str) -> Self {
        let environment = Self {
            lab,
            case,
            ldap: FakeLdap::start(),
            number: lab.number(),
        };
        environment.ldap.set_script(environment.script());
        environment
    }

    /// Responds with a valid entry that has this phone.
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
        Login::new(self.lab, self.case)
            .user("untrusted")
            .number(&self.number)
            .set("ldap.uris", &format!("[{:?}]", self.ldap.url()))
            .text("messages.password", "{user}|{rhost}|{service} Password:")
            .text(
                "messages.code",
                "{user}|{rhost}|{service} Verification code:",
            )
            .text("messages.sms", "{code} {user}|{rhost}|{service}.")
    }

    /// Logs in with the right password and the right code, and makes the common checks.
    fn run(&self, what: &str, login: &Login, lines: usize) -> Observed {
        let observed = self.run_waiting(what, login, lines);
        assert_eq!(
            observed.events.len(),
            lines,
            "{what}: {:?}",
            observed.events
        );
        observed
    }

    /// The same, where the result is not known.
    fn run_any(&self, what: &str, login: &Login) -> Observed {
        self.run_waiting(what, login, 1)
    }

    fn run_waiting(&self, what: &str, login: &Login, lines: usize) -> Observed {
        let log = self.lab.machine().log();
        let logged = log.lines().len();
        let arrived = login.arrived().len();
        let requests = self.lab.twilio().requests().len();
        self.ldap.take_requests();
        let transcript = login.transcript(|message| match message.style {
            Style::Hidden => PASSWORD.into(),
            _ => login.arrived()[arrived..]
                .last()
                .map_or(Answer::ConvErr, |sms| sms.code().into()),
        });
        let head = format!("pam_sms_otp({}:auth): ", self.case);
        let lines_of = || {
            let mut lines = log.lines().split_off(logged);
            lines.retain(|line| {
                line.pid == Some(transcript.pid) || line.pid.is_none() && line.raw.contains(&head)
            });
            lines
        };
        let until = Instant::now() + Duration::from_secs(5);
        while lines_of().len() < lines && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        // Everything that was written before this mark has been read then.
        let mark = format!("the end of {what} of {} in {until:?}", self.case);
        let socket = UnixDatagram::unbound().expect("a socket");
        socket
            .send_to(mark.as_bytes(), "/dev/log")
            .expect("the log of the laboratory");
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
            let is_allowed = |c: char| (' '..='~').contains(&c) || !prompt && is_visible(c);
            assert!(message.text.chars().all(is_allowed), "{what}: {message:?}");
            assert!(message.text.len() < 512, "{what}: {message:?}");
        }
        let sms = login.arrived().split_off(arrived);
        self.check_requests(what, requests, &sms);
        let texts = transcript.texts().into_iter().map(str::to_owned);
        Observed {
            codes: transcript.codes(),
            screen: texts.collect(),
            events,
            sms,
            ldap_requests: self.ldap.take_requests(),
        }
    }

    /// Checks the requests to Twilio for this phone: these headers and fields, each once.
    fn check_requests(&self, what: &str, before: usize, sms: &[Sms]) {
        let requests = self.lab.twilio().requests().split_off(before);
        let number = self.number.trim_start_matches('+');
        let mut sent = requests.iter().filter(|request| {
            let body = String::from_utf8_lossy(&request.body);
            body.starts_with(&format!("To=%2B{number}&"))
        });
        for one in sms {
            assert!(is_printable(&one.body), "{what}: {:?}", one.body);
            let request = sent.next().expect("a request for each SMS");
            let account = self.lab.twilio().account();
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

/// Whether it is neither a control character nor an invisible character that terminals interpret.
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

/// Whether the log has the value, cut off at 400 bytes of its encoding.
fn is_logged_as(value: &[u8], field: Option<&[u8]>) -> bool {
    match field {
        Some(field) if field == value => true,
        Some(field) => field
            .strip_suffix(b"...")
            .is_some_and(|start| start.len() >= 90 && value.starts_with(start)),
        None => false,
    }
}
