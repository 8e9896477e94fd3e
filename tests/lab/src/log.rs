//! The machine's log, as far as this lab is concerned: what arrives at `/dev/log`.
#![forbid(unsafe_code)]

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// One line of syslog (RFC 3164, as libc writes it), taken apart.
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
    /// The datagram as it came.
    pub raw: String,
}

impl Line {
    fn parse(raw: &str) -> Self {
        let (priority, rest) = raw
            .strip_prefix('<')
            .and_then(|rest| rest.split_once('>'))
            .and_then(|(number, rest)| Some((number.parse::<u16>().ok()?, rest)))
            .unwrap_or((0, raw));
        // "Nov 24 21:00:00 " is 16 bytes whatever the day.
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

    /// The value of a logfmt field, quotes taken off and escapes kept.
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

/// Everything that was logged since the collector started.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<(Mutex<Vec<Line>>, Condvar)>,
}

impl Log {
    /// Listens at this path for as long as the process lives; everybody may write to it.
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

    /// The lines that contain all of these texts, in order.
    pub fn lines_with(&self, texts: &[&str]) -> Vec<Line> {
        let contains = |line: &&Line| texts.iter().all(|text| line.raw.contains(text));
        self.lock().iter().filter(contains).cloned().collect()
    }

    /// The lines whose message begins with this, in order. In a long log this is much quicker.
    pub fn lines_that_begin(&self, head: &str) -> Vec<Line> {
        let begins = |line: &&Line| line.message.starts_with(head);
        self.lock().iter().filter(begins).cloned().collect()
    }

    /// The lines with this `user=`.
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
    fn a_line_is_taken_apart() {
        let raw = "<86>Nov  4 21:00:00 sshd[123]: pam_sms_otp(sshd:auth): failed login=7f3a9c21 \
                   user=alice detail=\"say \\\"no\\\" to it\" error=21608";
        let line = Line::parse(raw);
        assert_eq!(
            (line.facility, line.severity, line.tag.as_str()),
            (10, 6, "sshd")
        );
        assert_eq!(line.pid, Some(123));
        assert_eq!(line.field("user"), Some("alice"));
        assert_eq!(line.field("detail"), Some("say \\\"no\\\" to it"));
        assert_eq!(line.field("error"), Some("21608"));
        assert_eq!(line.field("phone"), None);
    }
}
