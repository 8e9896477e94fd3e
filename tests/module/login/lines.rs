//! The log lines of a login.

use super::Login;
use super::seen::NO_LOG;
use crate::skipped::skip;
use lab::log::Line;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

impl Login<'_> {
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

    /// The lines of this service so far, for a case that needs them.
    fn readable(&self) -> Vec<Line> {
        if self.lab.machine_error().is_some() {
            skip(NO_LOG);
        }
        self.logged()
    }

    /// The lines of this service so far.
    pub(super) fn logged(&self) -> Vec<Line> {
        if self.lab.machine_error().is_some() {
            return Vec::new();
        }
        let head = format!("pam_sms_otp({}:auth): ", self.case);
        let mut lines = self.lab.machine().log().lines_that_begin(&head);
        // libpam logs some lines of its own under the name of the service.
        lines.retain(|line| !line.message.ends_with(": conversation failed"));
        lines
    }

    /// The lines, once there are so many and everything written was read.
    pub(super) fn settle(&self, wanted: usize) -> Vec<Line> {
        if self.lab.machine_error().is_some() {
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
        self.lab
            .machine()
            .log()
            .wait_for(&[&mark], Duration::from_secs(10));
        self.logged()
    }
}
