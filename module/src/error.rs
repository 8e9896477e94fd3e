//! What the module logs when it refuses a login itself: a reason and a detail.
#![forbid(unsafe_code)]

/// Why the module refuses a login.
pub(crate) struct Error {
    pub(crate) reason: &'static str,
    pub(crate) detail: String,
    /// Whether NSS may be queried for the user name before it is logged.
    pub(crate) may_use_nss: bool,
}

impl Error {
    /// The helper could not be started or violated the protocol.
    pub(crate) fn helper(detail: impl Into<String>) -> Self {
        Self {
            reason: "helper",
            detail: detail.into(),
            may_use_nss: true,
        }
    }

    /// A helper was started and ended without a verdict. It may have been blocked in a name service
    /// that would block the host process too (an NSS lookup has no time limit), so the user name is
    /// not looked up.
    pub(crate) fn helper_lost(detail: impl Into<String>) -> Self {
        Self {
            may_use_nss: false,
            ..Self::helper(detail)
        }
    }

    /// This machine lacks a resource.
    pub(crate) fn local(detail: impl Into<String>) -> Self {
        Self {
            reason: "local",
            ..Self::helper(detail)
        }
    }

    /// The PAM line contains an argument that does not exist.
    pub(crate) fn unknown_argument(argument: &[u8]) -> Self {
        let mut detail = String::from("unknown argument ");
        detail.push_str(&String::from_utf8_lossy(argument));
        detail.push_str(" in the PAM line; see pam_sms_otp(8)");
        Self {
            reason: "bad-settings",
            ..Self::helper(detail)
        }
    }

    /// The reason and the detail as one text.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        [self.reason, ": ", &self.detail].concat()
    }
}
