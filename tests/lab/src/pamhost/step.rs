//! The steps of a host.
#![forbid(unsafe_code)]

use serde_json::{Value, json};

/// A step of a host.
#[derive(Clone, Debug)]
pub enum Step {
    Authenticate,
    Account,
    /// `PAM_ESTABLISH_CRED`.
    Credentials,
    OpenSession,
    CloseSession,
    ChangePassword,
    /// Sets another `PAM_USER` on the same handle, as login(1) does.
    User(String),
    /// `pam_end` and a new `pam_start`: the module may be unloaded in between.
    Restart,
    /// Repeats `pam_start`, a login and `pam_end`. One result: all must return the same code.
    Rounds(u32),
    /// Reports the memory of the host.
    Measure,
    /// Runs a login for each of these names at the same time, in threads.
    Concurrent(Vec<String>),
    /// Forks: the child runs a login for this name while the host runs its own.
    Forked(String),
    /// Runs a login with only this number of free descriptors.
    FewDescriptors(u32),
}

impl Step {
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Authenticate => json!("authenticate"),
            Self::Account => json!("account"),
            Self::Credentials => json!("credentials"),
            Self::OpenSession => json!("open-session"),
            Self::CloseSession => json!("close-session"),
            Self::ChangePassword => json!("change-password"),
            Self::User(name) => json!({ "user": name }),
            Self::Restart => json!("restart"),
            Self::Rounds(many) => json!({ "rounds": many }),
            Self::Measure => json!("measure"),
            Self::Concurrent(names) => json!({ "at-once": names }),
            Self::Forked(name) => json!({ "forked": name }),
            Self::FewDescriptors(spare) => json!({ "crowded": spare }),
        }
    }
}
