//! Opening connections on background threads while the user types the password.
//!
//! At the prompt nothing is verified yet, so anyone with a user name can make this machine hold
//! connections. A login therefore needs a [`Permit`] to open them early, and a machine has few permits.
//! Without one the login connects after the user has answered, which is only slower.
#![forbid(unsafe_code)]

use std::{
    os::fd::OwnedFd,
    panic::resume_unwind,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use crate::{deadline::Deadline, sys};

/// How long unused connections stay open while the user does not answer the prompt.
pub(crate) const MAX_IDLE: Duration = Duration::from_secs(15);

/// Logins of one machine that may open connections early at the same time.
const MAX_LOGINS: u64 = 16;

/// Stack of a background thread: TLS and the LDAP library run on it. It is set here because
/// std would otherwise read the environment.
const STACK: usize = 1024 * 1024;

/// A value that a background thread produces, usually an open connection.
///
/// Dropping it closes the connection: at once if it is open, otherwise as soon as the thread ends.
#[derive(Debug)]
pub(crate) struct Prefetch<T> {
    result: Receiver<T>,
    thread: JoinHandle<()>,
    _permit: Permit,
}

impl<T: Send + 'static> Prefetch<T> {
    /// Starts a thread that runs `open`, which has to limit its own time. Returns `None` if no thread
    /// can be started.
    pub(crate) fn begin(
        thread_name: &str,
        permit: Permit,
        open: impl FnOnce() -> T + Send + 'static,
    ) -> Option<Self> {
        let (sender, result) = sync_channel(1);
        let permit_of_thread = permit.clone();
        let run = move || {
            let _permit = permit_of_thread;
            // An error means that the value is not wanted any more: it is dropped.
            let _ = sender.send(open());
        };
        let thread = Builder::new()
            .name(thread_name.to_owned())
            .stack_size(STACK)
            .spawn(run)
            .ok()?;
        Some(Self {
            result,
            thread,
            _permit: permit,
        })
    }

    /// Returns the value if it is there already.
    pub(crate) fn take_ready(&self) -> Option<T> {
        self.result.try_recv().ok()
    }

    /// Waits for the value. `None`: it did not come in time.
    ///
    /// # Panics
    /// If the thread panicked: the panic belongs to the same login.
    pub(crate) fn take(self, by: Deadline) -> Option<T> {
        match self.result.recv_timeout(by.left()) {
            Ok(value) => Some(value),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => match self.thread.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => None,
            },
        }
    }

    /// Whether the thread has ended.
    #[cfg(test)]
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// One that is ready.
    #[cfg(test)]
    pub(crate) fn ready(value: T) -> Self {
        let prefetch = Self::begin("test", Permit::for_a_test(), || value).unwrap();
        while !prefetch.has_ended() {
            std::thread::yield_now();
        }
        prefetch
    }
}

/// The permits of this machine: bytes of a file, each of which one login can lock. The lock ends with
/// the process.
pub struct Permits(Option<OwnedFd>);

impl Permits {
    /// Without a file there are no permits.
    #[must_use]
    pub const fn new(file: Option<OwnedFd>) -> Self {
        Self(file)
    }

    /// Takes a permit for this login if one is free.
    pub fn take(&mut self) -> Option<Permit> {
        let file = self.0.take()?;
        let is_locked = |byte| sys::try_lock(&file, byte, 1).unwrap_or(false);
        (0..MAX_LOGINS)
            .any(is_locked)
            .then(|| Permit(Arc::new(file)))
    }
}

/// A permit, shared by the connections of one login and the threads that open them. It is returned
/// when the last of them is dropped.
#[derive(Debug, Clone)]
pub struct Permit(#[allow(dead_code, reason = "the lock ends with the file")] Arc<OwnedFd>);

impl Permit {
    /// A permit that counts on no machine.
    #[cfg(test)]
    pub(crate) fn for_a_test() -> Self {
        Self(Arc::new(file_for_a_test()))
    }
}

#[cfg(test)]
pub(crate) fn file_for_a_test() -> OwnedFd {
    use rustix::fs::{MemfdFlags, memfd_create};

    memfd_create("permits", MemfdFlags::CLOEXEC).unwrap()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use rustix::fs::{Mode, OFlags, open};

    use super::*;

    /// Opens the same file as another process would.
    fn opened_again(file: &OwnedFd) -> OwnedFd {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    #[test]
    fn there_are_sixteen_and_each_returns_with_its_last_holder() {
        let file = file_for_a_test();
        let take = || Permits::new(Some(opened_again(&file))).take();
        let mut permits: Vec<_> = (0..16).map(|_| take().unwrap()).collect();
        assert!(take().is_none());
        let holder = permits[7].clone();
        permits.remove(7);
        assert!(take().is_none());
        drop(holder);
        let again = take();
        assert!(again.is_some() && take().is_none());
        drop(permits);
        assert!(take().is_some());
    }

    #[test]
    fn without_a_file_there_are_none_and_a_login_takes_one() {
        assert!(Permits::new(None).take().is_none());
        let mut permits = Permits::new(Some(file_for_a_test()));
        assert!(permits.take().is_some());
        assert!(permits.take().is_none());
    }

    fn soon() -> Deadline {
        Deadline::within(Duration::from_secs(10))
    }

    #[test]
    fn the_value_is_waited_for_and_handed_out_once() {
        let (go, gate) = sync_channel::<()>(1);
        let prefetch = Prefetch::begin("test", Permit::for_a_test(), move || {
            gate.recv().unwrap();
            7
        });
        let prefetch = prefetch.unwrap();
        assert_eq!(prefetch.take_ready(), None);
        go.send(()).unwrap();
        assert_eq!(prefetch.take(soon()), Some(7));

        let prefetch = Prefetch::ready(7);
        assert_eq!(prefetch.take_ready(), Some(7));
        assert_eq!(prefetch.take(soon()), None);
    }

    #[test]
    fn the_wait_ends_with_its_time_and_the_value_is_dropped() {
        let (go, gate) = sync_channel::<()>(1);
        let value = Arc::new(());
        let opened = Arc::clone(&value);
        let prefetch = Prefetch::begin("test", Permit::for_a_test(), move || {
            gate.recv().unwrap();
            opened
        });
        let short = Deadline::within(Duration::from_millis(20));
        assert!(prefetch.unwrap().take(short).is_none());
        go.send(()).unwrap();
        let by = soon();
        while Arc::strong_count(&value) > 1 {
            assert!(!by.is_over());
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_permit_returns_when_both_the_thread_and_its_owner_have_ended() {
        let file = file_for_a_test();
        let permit = |file: &OwnedFd| Permits::new(Some(opened_again(file))).take();
        let _others: Vec<_> = (1..16).map(|_| permit(&file).unwrap()).collect();
        let (go, gate) = sync_channel::<()>(1);
        let begin = |permit| Prefetch::begin("test", permit, move || gate.recv().unwrap());
        let prefetch = begin(permit(&file).unwrap()).unwrap();
        drop(prefetch);
        assert!(permit(&file).is_none());
        go.send(()).unwrap();
        let by = soon();
        while permit(&file).is_none() {
            assert!(!by.is_over());
            std::thread::yield_now();
        }
    }

    #[test]
    #[should_panic(expected = "of the thread")]
    fn a_panic_of_the_thread_is_passed_on() {
        let prefetch = Prefetch::begin("test", Permit::for_a_test(), || panic!("of the thread"));
        prefetch.unwrap().take(soon());
    }
}
