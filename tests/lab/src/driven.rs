//! The real helper without a module: the test itself is the host. So it is the test's, what a helper
//! inherits, what it hears, and when the wire ends.

use protocol::{Answer, Code, FromHelper, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Where a helper looks for the wire.
const WIRE: RawFd = 3;

/// Longer than any step takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A helper that runs. Dropped, it is killed and reaped.
#[derive(Debug)]
pub struct Driven {
    child: Child,
    wire: Option<OwnedFd>,
}

/// A login's number, as the log has it.
pub const LOGIN: &str = "d0d0d0d0";

/// What a module would ask. The log names the test as the host.
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

impl Driven {
    /// Starts this helper, with nothing but the wire.
    pub fn start(helper: &Path) -> Self {
        Self::start_with(helper, Vec::new(), |command| {
            command.env_clear();
        })
    }

    /// Starts this program with the wire on descriptor 3, these descriptors at these numbers, and whatever
    /// else makes up a command.
    pub fn start_with(
        program: &Path,
        heirlooms: Vec<(OwnedFd, RawFd)>,
        rest: impl FnOnce(&mut Command),
    ) -> Self {
        let mut command = Command::new(program);
        let flags = SocketFlags::CLOEXEC;
        let (wire, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
                .expect("a pair of sockets");
        let given: Vec<(OwnedFd, RawFd)> = heirlooms
            .into_iter()
            .chain([(theirs, WIRE)])
            // Where none of them is in the way of another.
            .map(|(fd, number)| {
                (
                    rustix::io::fcntl_dupfd_cloexec(fd, 800).expect("a number"),
                    number,
                )
            })
            .collect();
        // SAFETY: between fork and exec numbers are given to descriptors that are open, and nothing else.
        unsafe {
            command.pre_exec(move || {
                for (fd, number) in &given {
                    if libc::dup2(fd.as_raw_fd(), *number) < 0 {
                        return Err(std::io::Error::last_os_error());
                    }
                }
                Ok(())
            });
        }
        rest(&mut command);
        let child = command.spawn().expect("the helper starts");
        // Whoever keeps the command keeps the helper's end of the wire, too.
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

    pub fn say(&self, message: &[u8]) {
        rustix::net::send(self.wire(), message, SendFlags::NOSIGNAL).expect("the helper listens");
    }

    /// An answer of the person's.
    pub fn answer(&self, words: &str) {
        let said = Answer::Text {
            prompted: true,
            text: words.as_bytes(),
        };
        self.say(&said.encode());
    }

    /// The next message. `None`: the helper has ended.
    pub fn hear(&self) -> Option<Vec<u8>> {
        let patience = Timespec::try_from(PATIENCE).expect("a time");
        let mut ends = [PollFd::new(self.wire(), PollFlags::IN)];
        let heard = poll(&mut ends, Some(&patience)).expect("a poll");
        assert!(heard > 0, "the helper says nothing");
        let mut buffer = vec![0; protocol::MAX_MESSAGE];
        let (length, _) = rustix::net::recv(self.wire(), buffer.as_mut_slice(), RecvFlags::empty())
            .expect("the wire");
        buffer.truncate(length);
        (length > 0).then_some(buffer)
    }

    /// The next question, whatever is said before it.
    pub fn question(&self) -> String {
        loop {
            let message = self.hear().expect("the helper asks");
            match FromHelper::decode(&message).expect("a message").1 {
                FromHelper::Prompt(_, text) => return text.to_owned(),
                FromHelper::KeepAlive | FromHelper::ShowError(_) => {}
                other => panic!("no question: {other:?}"),
            }
        }
    }

    /// The verdict, whatever is said before it but questions.
    pub fn verdict(&self) -> Code {
        loop {
            let message = self.hear().expect("the helper says a verdict");
            match FromHelper::decode(&message).expect("a message").1 {
                FromHelper::Verdict(verdict) => return verdict.code,
                FromHelper::KeepAlive | FromHelper::ShowError(_) => {}
                other => panic!("no verdict: {other:?}"),
            }
        }
    }

    /// Waits until the helper has taken all that was said.
    pub fn has_heard(&self) {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut unheard: libc::c_int = -1;
            // SAFETY: unix(7): writes one number, how many bytes the other end has not taken.
            let done =
                unsafe { libc::ioctl(self.wire().as_raw_fd(), libc::TIOCOUTQ, &raw mut unheard) };
            assert_eq!(done, 0, "the wire's queue");
            if unheard == 0 {
                return;
            }
            assert!(Instant::now() < until, "the helper does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the wire, as the end of a host does. Ours is the only descriptor of this end.
    pub fn hang_up(&mut self) {
        self.wire = None;
    }

    /// Kills what was started.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is there");
        self.child.wait().expect("it is ours");
    }

    /// How it ended. `None`: it has not, within this time.
    pub fn ended_within(&mut self, time: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + time;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                return Some(status);
            }
            if Instant::now() > until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
