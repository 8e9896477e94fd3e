//! The log of the test machine: everything written to `/dev/log`.
#![forbid(unsafe_code)]

use std::fmt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// A parsed line of syslog (RFC 3164, as libc writes it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// 10 is authpriv, 4 is auth.
    pub facility: u8,
    /// 3 error, 4 warning, 5 notice, 6 info, 7 debug.
    pub severity: u8,
    /// The program's name.
    pub tag: String,
    pub pid: Option<u32>,
    pub message: String,
    /// The datagram.
    pub raw: String,
}

impl Line {
    fn parse(raw: &str) -> Self {
        let (priority, rest) = raw
            .strip_prefix('<')
            .and_then(|rest| rest.split_once('>'))
            .and_then(|(number, rest)| Some((number.parse::<u16>().ok()?, rest)))
            .unwrap_or((0, raw));
        // "Nov 24 21:00:00 " is always 16 bytes.
        let rest = rest.get(16..).unwrap_or(rest);
        let (head, message) = rest.split_once(": ").unwrap_or(("", rest));
        let (tag, pid) = match head.strip_suffix(']').and_then(|head| head.split_once('[')) {
            Some((tag, pid)) => (tag, pid.parse().ok()),
            None => (head, None),
        };
        Self {
            facility: u8::try_from(priority / 8).unwrap_or(u8::MAX),
            severity: (priority % 8) as u8,
            tag: tag.to_owned(),
            pid,
            message: message.trim_end_matches(['\n', '\0']).to_owned(),
            raw: raw.to_owned(),
        }
    }

    /// Returns the value of a logfmt field, without quotes and with its escapes.
    pub fn field(&self, name: &str) -> Option<&str> {
        let start = self.message.find(&format!(" {name}="))? + name.len() + 2;
        let value = &self.message[start..];
        match value.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted
                    .char_indices()
                    .scan(false, |escaped, (at, c)| {
                        let ends = c == '"' && !*escaped;
                        *escaped = c == '\\' && !*escaped;
                        Some((at, ends))
                    })
                    .find_map(|(at, ends)| ends.then_some(at))?;
                Some(&quoted[..end])
            }
            None => value.split(' ').next(),
        }
    }
}

/// A strictly parsed line of the product.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// SERVICE in `pam_sms_otp(SERVICE:auth): `.
    pub service: String,
    pub name: String,
    /// Keys and values, in order, with the escapes decoded.
    pub fields: Vec<(String, Vec<u8>)>,
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.service, self.name)?;
        for (key, value) in &self.fields {
            write!(f, " {key}={:?}", String::from_utf8_lossy(value))?;
        }
        Ok(())
    }
}

impl Event {
    /// Returns the value of a field that occurs once.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let mut found = self.fields.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| &value[..]);
        value.filter(|_| found.next().is_none())
    }
}

impl Line {
    /// Parses the line as one of the product. `None`: it does not conform to the documented format.
    pub fn event(&self) -> Option<Event> {
        let rest = self.message.strip_prefix("pam_sms_otp(")?;
        let (service, rest) = rest.split_once(":auth): ")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        let (name, mut rest) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
        if !service.chars().all(plain) || !name.chars().all(plain) {
            return None;
        }
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let (key, behind) = rest.strip_prefix(' ')?.split_once('=')?;
            if key.is_empty() || !key.chars().all(|c| c.is_ascii_lowercase()) {
                return None;
            }
            let value;
            (value, rest) = if let Some(quoted) = behind.strip_prefix('"') {
                unquoted(quoted)?
            } else {
                let (value, rest) = behind.split_at(behind.find(' ').unwrap_or(behind.len()));
                let plain = |c: char| c.is_ascii_alphanumeric() || "._:@/+*-?,%".contains(c);
                if value.is_empty() || !value.chars().all(plain) {
                    return None;
                }
                (value.as_bytes().to_vec(), rest)
            };
            fields.push((key.to_owned(), value));
        }
        Some(Event {
            service: service.to_owned(),
            name: name.to_owned(),
            fields,
        })
    }
}

/// Decodes a value up to its closing quote; returns it and the rest.
fn unquoted(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut value = Vec::new();
    let mut rest = text;
    loop {
        let (byte, behind) = rest.split_at_checked(1)?;
        (rest, value) = match byte.as_bytes() {
            b"\"" => return Some((value, behind)),
            b"\\" => {
                let escape = behind.split_at_checked(1)?;
                let (byte, behind) = match escape {
                    ("x", digits) => {
                        let (digits, behind) = digits.split_at_checked(2)?;
                        (u8::from_str_radix(digits, 16).ok()?, behind)
                    }
                    ("\"" | "\\", behind) => (escape.0.as_bytes()[0], behind),
                    _ => return None,
                };
                value.push(byte);
                (behind, value)
            }
            [byte @ b' '..=b'~'] => {
                value.push(*byte);
                (behind, value)
            }
            _ => return None,
        };
    }
}

/// Everything that was logged since the start.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<(Mutex<Vec<Line>>, Condvar)>,
}

impl Log {
    /// Listens at this path until the process ends. All users may write to it.
    pub fn listen(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path)
            .unwrap_or_else(|e| panic!("cannot listen at {}: {e}", path.display()));
        crate::scratch::set_mode(path, 0o666);
        let log = Self {
            shared: Arc::default(),
        };
        let collector = log.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(length) = socket.recv(&mut buffer) {
                let line = Line::parse(&String::from_utf8_lossy(&buffer[..length]));
                collector.lock().push(line);
                collector.shared.1.notify_all();
            }
        });
        log
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.shared.0.lock().expect("the log")
    }

    pub fn lines(&self) -> Vec<Line> {
        self.lock().clone()
    }

    /// Returns the lines that contain all of these texts.
    pub fn lines_with(&self, texts: &[&str]) -> Vec<Line> {
        let contains = |line: &&Line| texts.iter().all(|text| line.raw.contains(text));
        self.lock().iter().filter(contains).cloned().collect()
    }

    /// Returns the lines whose message begins with this text. Much faster than [`Self::lines_with`] in a long
    /// log.
    pub fn lines_that_begin(&self, head: &str) -> Vec<Line> {
        let begins = |line: &&Line| line.message.starts_with(head);
        self.lock().iter().filter(begins).cloned().collect()
    }

    /// Returns the lines with this `user=`.
    pub fn lines_for(&self, user: &str) -> Vec<Line> {
        self.lines()
            .into_iter()
            .filter(|line| line.field("user") == Some(user))
            .collect()
    }

    /// Waits for a line that contains all of these texts.
    pub fn wait_for(&self, texts: &[&str], timeout: Duration) -> Line {
        let until = Instant::now() + timeout;
        let mut lines = self.lock();
        loop {
            let found = lines
                .iter()
                .find(|line| texts.iter().all(|text| line.raw.contains(text)));
            if let Some(line) = found {
                return line.clone();
            }
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                let all: Vec<&str> = lines.iter().map(|line| line.raw.as_str()).collect();
                panic!("no log line with {texts:?} within {timeout:?}; logged were {all:#?}");
            };
            lines = self.shared.1.wait_timeout(lines, left).expect("the log").0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_parsed() {
        let raw = "<86>Nov  4 21:00:00 sshd[123]: pam_sms_otp(sshd:auth): failed login=7f3a9c21 \
                   user=alice detail=\"the \\\"no\\\" answer\" error=21608";
        let line = Line::parse(raw);
        assert_eq!(
            (line.facility, line.severity, line.tag.as_str()),
            (10, 6, "sshd")
        );
        assert_eq!(line.pid, Some(123));
        assert_eq!(line.field("user"), Some("alice"));
        assert_eq!(line.field("detail"), Some("the \\\"no\\\" answer"));
        assert_eq!(line.field("error"), Some("21608"));
        assert_eq!(line.field("phone"), None);
    }

    #[test]
    fn an_event_is_parsed_strictly() {
        let read = |message: &str| Line::parse(&format!("<86>{:16}a[1]: {message}", "")).event();
        let event = read(r#"pam_sms_otp(su-l:auth): denied login=7f user="a \"b\x0a\\" rhost=::1"#);
        let event = event.expect("an event");
        assert_eq!((&*event.service, &*event.name), ("su-l", "denied"));
        assert_eq!(event.field("user"), Some(&b"a \"b\x0a\\"[..]));
        assert_eq!(event.field("rhost"), Some(&b"::1"[..]));
        for bad in [
            "pam_sms_otp(a b:auth): granted",
            "pam_sms_otp(a:auth): granted  user=b",
            "pam_sms_otp(a:auth): granted user=",
            "pam_sms_otp(a:auth): granted user=a=b",
            "pam_sms_otp(a:auth): granted user=\"a",
            "pam_sms_otp(a:auth): granted user=\"a\"b",
            "pam_sms_otp(a:auth): granted user=\"\u{1b}\"",
            "pam_sms_otp(a:auth): granted user=\"\u{e4}\"",
            "pam_sms_otp(a:auth): granted user",
            "pam_sms_otp(a:auth): granted user=x\nfoo",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        let twice = read("pam_sms_otp(a:auth): granted user=a user=b").expect("an event");
        assert_eq!(twice.field("user"), None);
    }
}
