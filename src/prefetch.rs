//! Connections that are opened while the user types the password: for how long they are kept, and
//! how many logins of one machine may have some.
//!
//! At the prompt nothing is verified yet, so anybody who knows a user name can make this machine hold
//! connections. A login has them only with a [`Permit`], of which a machine has few; without one it
//! connects when the user has answered, and is only slower.
#![forbid(unsafe_code)]

use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

use crate::sys;

/// How long connections are kept for a user who does not answer.
pub const MAX_IDLE: Duration = Duration::from_secs(15);

/// Logins of one machine that have such connections at the same time.
const MAX_LOGINS: u64 = 16;

/// The file whose first bytes are the permits of this machine: a login locks one of them. The lock
/// ends with the process.
pub struct Permits(Option<OwnedFd>);

impl Permits {
    /// Without a file there are none.
    #[must_use]
    pub const fn new(file: Option<OwnedFd>) -> Self {
        Self(file)
    }

    /// One for this login, if one is free.
    pub fn take(&mut self) -> Option<Permit> {
        let file = self.0.take()?;
        let is_locked = |byte| sys::try_lock(&file, byte, 1).unwrap_or(false);
        (0..MAX_LOGINS)
            .any(is_locked)
            .then(|| Permit(Arc::new(file)))
    }
}

/// A permit, shared by the connections of one login and the threads that open them. The last of them
/// to end returns it.
#[derive(Debug, Clone)]
pub struct Permit(#[allow(dead_code, reason = "the lock ends with the file")] Arc<OwnedFd>);

impl Permit {
    /// One of no machine.
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

    /// The same file as another process has it.
    fn opened_again(file: &OwnedFd) -> OwnedFd {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    #[test]
    fn sixteen_and_each_returns_with_its_last_holder() {
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
}
