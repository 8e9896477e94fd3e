//! Lines on their way to the system log: waiting for space, and counted if they are lost.
#![forbid(unsafe_code)]

use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

use protocol::logfmt::field;
use syslog::Severity;

use super::{
    MAX_WAIT,
    lost::{LostLines, ThisLogin},
    socket::{Attempt, Socket},
};
use crate::deadline::Deadline;

pub(super) struct Output {
    socket: Socket,
    lost: Box<dyn LostLines>,
    /// The socket to the module. Once the module has closed it, no line waits.
    module: Option<Arc<OwnedFd>>,
    /// Whether the final line of the login is written.
    pub(super) is_ended: bool,
    /// Whether the previous line waited for space in vain.
    is_full: bool,
}

impl Output {
    pub(super) fn new(socket: Socket, module: Option<Arc<OwnedFd>>) -> Self {
        Self {
            socket,
            lost: Box::new(ThisLogin::default()),
            module,
            is_ended: false,
            is_full: false,
        }
    }

    /// Counts lost lines in this counter from now on, including those lost so far.
    pub(super) fn count_lost(&mut self, mut counter: Box<dyn LostLines>) {
        self.lost.report(&mut |lines| {
            counter.add(lines);
            lines
        });
        self.lost = counter;
    }

    /// Writes a line, with the number of lines lost before it. If the system log has no space, waits for
    /// at most `wait`, and only while the module is connected. Returns whether the system log accepted
    /// the line.
    ///
    /// Of several lines in a row only the first waits, and one with a longer wait (an alert). Otherwise a
    /// user with many new numbers could use up the login's deadline here, which would then be reported
    /// as an outage of a server.
    pub(super) fn write(&mut self, severity: Severity, line: &str, wait: Duration) -> bool {
        let waits = !self.is_full || wait > MAX_WAIT;
        let by = Deadline::within(if waits { wait } else { Duration::ZERO });
        let Self {
            socket,
            lost,
            module,
            is_full,
            ..
        } = self;
        let mut number = 0;
        loop {
            let mut attempt = Attempt::NoLog;
            lost.report(&mut |lost| {
                if !socket.is_pending() {
                    number = lost;
                }
                attempt = socket.attempt(severity, &with_lost(line, number));
                if attempt == Attempt::Accepted {
                    number
                } else {
                    0
                }
            });
            if attempt == Attempt::Accepted {
                *is_full = false;
                return true;
            }
            if attempt == Attempt::NoLog || by.is_over() || !socket.wait(by, module.as_ref()) {
                *is_full = attempt == Attempt::Full;
                socket.abandon_pending();
                return false;
            }
        }
    }

    /// Writes a line as [`Self::write`] does, and counts it if it is lost.
    pub(super) fn write_or_count(
        &mut self,
        severity: Severity,
        line: &str,
        wait: Duration,
    ) -> bool {
        let is_written = self.write(severity, line, wait);
        if !is_written {
            self.lost.add(1);
        }
        is_written
    }
}

fn with_lost(line: &str, lost: u32) -> String {
    let mut line = line.to_owned();
    if lost > 0 {
        field(&mut line, "lost", lost.to_string().as_bytes());
    }
    line
}
