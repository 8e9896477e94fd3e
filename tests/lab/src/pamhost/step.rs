//! What a host does.
#![forbid(unsafe_code)]

use serde_json::{Value, json};

/// What the host does, in order.
#[derive(Clone, Debug)]
pub enum Step {
    Authenticate,
    Account,
    /// `PAM_ESTABLISH_CRED`.
    Credentials,
    OpenSession,
    CloseSession,
    ChangePassword,
    /// Another `PAM_USER` on the same handle, as login sets it.
    User(String),
    /// `pam_end` and a new `pam_start`: the module may be unloaded between.
    Restart,
    /// So many times a handle, a login and the handle's end, which is one result: they are all alike.
    Rounds(u32),
    /// Notes how much memory the host holds.
    Measure,
    /// A login for each of these names in a thread of its own, at once.
    AtOnce(Vec<String>),
    /// A fork that has a login for this name, while the host has one for its own.
    Forked(String),
    /// A login with so many descriptors left.
    Crowded(u32),
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
            Self::AtOnce(names) => json!({ "at-once": names }),
            Self::Forked(name) => json!({ "forked": name }),
            Self::Crowded(spare) => json!({ "crowded": spare }),
        }
    }
}
