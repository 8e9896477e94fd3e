//! A real helper process whose host is the test: the test decides what the helper inherits, which messages
//! it receives, and when the connection is closed.

use protocol::{Answer, Code, FromHelper, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// The descriptor at which the helper expects its socket.
const WIRE: RawFd = 3;

/// Longer than any step takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A running helper. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct HelperProcess {
    child: Child,
    wire: Option<OwnedFd>,
}

/// The identifier of the login in the log.
pub const LOGIN: &str = "d0d0d0d0";

/// Returns a request as the module would send it. The log names the test as the host.
pub fn request<'a>(config: &'a Path, service: &'a str, user: &'a str) -> Request<'a> {
    Request {
        login: [0xd0; 4],
        caller: 0,
        pid: std::process::id(),
        debug: false,
        silent: false,
        source: None,
        tag: b"driven",
        config: config.as_os_str().as_encoded_bytes(),
        service: service.as_bytes(),
        user: user.as_bytes(),
        rhost: b"",
        ruser: b"",
        ssh_auth_info: b"",
        counts: b"",
    }
}

impl HelperProcess {
    /// Starts the helper with an empty environment and no descriptor but its socket.
    pub fn start(helper: &Path) -> Self {
        Self::start_with(helper, Vec::new(), |command| {
            command.env_clear();
        })
    }

    /// Starts a program with its socket at descriptor 3 and these descriptors at these numbers. `rest`
    /// completes the command.
    pub fn start_with(
        program: &Path,
        descriptors: Vec<(OwnedFd, RawFd)>,
        rest: impl FnOnce(&mut Command),
    ) -> Self {
        let mut command = Command::new(program);
        let flags = SocketFlags::CLOEXEC;
        let (wire, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
                .expect("a pair of sockets");
        let inherited: Vec<(OwnedFd, RawFd)> = descriptors
            .into_iter()
            .chain([(theirs, WIRE)])
            // Duplicated to high numbers first, so that no target number is in use.
            .map(|(fd, number)| {
                (
                    rustix::io::fcntl_dupfd_cloexec(fd, 800).expect("a number"),
                    number,
                )
            })
            .collect();
        // SAFETY: between fork and exec only dup2(2) is called, with open descriptors.
        unsafe {
            command.pre_exec(move || {
                for (fd, number) in &inherited {
                    if libc::dup2(fd.as_raw_fd(), *number) < 0 {
                        return Err(std::io::Error::last_os_error());
                    }
                }
                Ok(())
            });
        }
        rest(&mut command);
        let child = command.spawn().expect("the helper starts");
        // The command owns a copy of the helper's end of the socket.
        drop(command);
        Self {
            child,
            wire: Some(wire),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wire(&self) -> &OwnedFd {
        self.wire.as_ref().expect("the wire")
    }

    pub fn send(&self, message: &[u8]) {
        rustix::net::send(self.wire(), message, SendFlags::NOSIGNAL).expect("the helper reads");
    }

    /// Sends the answer to a prompt.
    pub fn answer(&self, text: &str) {
        let answer = Answer::Text {
            prompted: true,
            text: text.as_bytes(),
        };
        self.send(&answer.encode());
    }

    /// Receives the next message. `None`: the helper has closed the connection.
    pub fn receive(&self) -> Option<Vec<u8>> {
        let timeout = Timespec::try_from(TIMEOUT).expect("a time");
        let mut ends = [PollFd::new(self.wire(), PollFlags::IN)];
        let ready = poll(&mut ends, Some(&timeout)).expect("a poll");
        assert!(ready > 0, "no message from the helper");
        let mut buffer = vec![0; protocol::MAX_MESSAGE];
        let (length, _) = rustix::net::recv(self.wire(), buffer.as_mut_slice(), RecvFlags::empty())
            .expect("the wire");
        buffer.truncate(length);
        (length > 0).then_some(buffer)
    }

    /// Receives messages up to the next prompt and returns its text.
    pub fn prompt(&self) -> String {
        loop {
            let message = self.receive().expect("a prompt");
            match FromHelper::decode(&message).expect("a message").1 {
                FromHelper::Prompt(_, text) => return text.to_owned(),
                FromHelper::KeepAlive | FromHelper::ShowError(_) => {}
                other => panic!("not a prompt: {other:?}"),
            }
        }
    }

    /// Receives messages up to the verdict; a prompt before it is an error.
    pub fn verdict(&self) -> Code {
        loop {
            let message = self.receive().expect("a verdict");
            match FromHelper::decode(&message).expect("a message").1 {
                FromHelper::Verdict(verdict) => return verdict.code,
                FromHelper::KeepAlive | FromHelper::ShowError(_) => {}
                other => panic!("not a verdict: {other:?}"),
            }
        }
    }

    /// Waits until the helper has read all messages.
    pub fn wait_until_read(&self) {
        let until = Instant::now() + TIMEOUT;
        loop {
            let mut unread: libc::c_int = -1;
            // SAFETY: unix(7): writes one number, the bytes that the peer has not read.
            let done =
                unsafe { libc::ioctl(self.wire().as_raw_fd(), libc::TIOCOUTQ, &raw mut unread) };
            assert_eq!(done, 0, "the send queue");
            if unread == 0 {
                return;
            }
            assert!(Instant::now() < until, "the helper does not read");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Closes the connection, as the exit of a host does.
    pub fn disconnect(&mut self) {
        self.wire = None;
    }

    /// Kills the helper.
    pub fn kill(&mut self) {
        self.child.kill().expect("a running helper");
        self.child.wait().expect("our own child");
    }

    /// Waits for its exit status. `None`: it has not exited within this time.
    pub fn exit_within(&mut self, time: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + time;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return Some(status);
            }
            if Instant::now() > until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for HelperProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
