//! The first message: everything that the helper may know of the host.

use crate::{Nonsense, Reader, Writer, kind, speaks};

/// Where `password=` in the PAM line says that the first factor comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    /// Asked for and proved by an LDAP bind.
    Ldap = 1,
    /// Proved by sshd (`SSH_AUTH_INFO_0`).
    Ssh = 2,
    /// `Ssh` where sshd has proved one, else `Ldap`.
    Auto = 3,
    /// Proved by an earlier module of the stack.
    Stack = 4,
}

/// A login, as the host describes it. All texts are bytes as they came: the helper judges them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// This login's number, drawn by the module so that its own log line can carry it too.
    pub login: [u8; 4],
    /// Real user id of the host: who calls.
    pub caller: u32,
    /// Process id of the host, for the log.
    pub pid: u32,
    /// `debug` in the PAM line.
    pub debug: bool,
    /// The host wants no texts (`PAM_SILENT`): none that is sent will be seen.
    pub silent: bool,
    /// `password=` in the PAM line.
    pub source: Option<Source>,
    /// The host's name for the log, as `pam_syslog(3)` would write it.
    pub tag: &'a [u8],
    /// Path of the settings.
    pub config: &'a [u8],
    /// `PAM_SERVICE`
    pub service: &'a [u8],
    /// `PAM_USER`
    pub user: &'a [u8],
    /// `PAM_RHOST`, empty where it is not set.
    pub rhost: &'a [u8],
    /// `PAM_RUSER`, empty where it is not set.
    pub ruser: &'a [u8],
    /// The PAM environment's `SSH_AUTH_INFO_0`, empty where it is not set.
    pub ssh_auth_info: &'a [u8],
    /// [`crate::Verdict::counts`] of the login before on this handle, empty for the first.
    pub counts: &'a [u8],
}

/// The most bytes of each text of a [`Request`].
pub mod most {
    /// `PAM_USER`, `PAM_RHOST` and `PAM_RUSER`: the module cuts longer ones, and no name that is
    /// known anywhere is as long.
    pub const NAME: usize = 1024;
    /// `PAM_SERVICE` and the host's name.
    pub const SERVICE: usize = 256;
    /// A path (`PATH_MAX`).
    pub const PATH: usize = 4096;
    /// `SSH_AUTH_INFO_0`
    pub const SSH_AUTH_INFO: usize = 64 * 1024;
}

impl<'a> Request<'a> {
    /// Writes the request.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        self.fill(Writer::new(kind::REQUEST, 0, self.body()))
    }

    /// The same. `None`: there is no memory for it.
    #[must_use]
    pub fn try_write(&self) -> Option<Vec<u8>> {
        let out = Writer::try_new(kind::REQUEST, 0, self.body())?;
        Some(self.fill(out))
    }

    fn body(&self) -> usize {
        self.texts().iter().fold(15_usize, |sum, text| {
            sum.saturating_add(text.len()).saturating_add(4)
        })
    }

    fn fill(&self, mut out: Writer) -> Vec<u8> {
        out.number(u32::from_le_bytes(self.login));
        out.number(self.caller);
        out.number(self.pid);
        out.byte(u8::from(self.debug));
        out.byte(u8::from(self.silent));
        out.byte(self.source.map_or(0, |source| source as u8));
        for text in self.texts() {
            out.text(text);
        }
        out.0
    }

    const fn texts(&self) -> [&'a [u8]; 8] {
        [
            self.tag,
            self.config,
            self.service,
            self.user,
            self.rhost,
            self.ruser,
            self.ssh_auth_info,
            self.counts,
        ]
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`Nonsense`] when it is none, or of a version that is not spoken here.
    pub fn read(message: &'a [u8]) -> Result<Self, Nonsense> {
        let mut from = Reader::new(message);
        let header = from.header()?;
        if !speaks(header.version) || header.kind != kind::REQUEST {
            return Err(Nonsense);
        }
        let request = Request {
            login: from.array()?,
            caller: from.number()?,
            pid: from.number()?,
            debug: from.flag()?,
            silent: from.flag()?,
            source: match from.byte()? {
                0 => None,
                1 => Some(Source::Ldap),
                2 => Some(Source::Ssh),
                3 => Some(Source::Auto),
                4 => Some(Source::Stack),
                _ => return Err(Nonsense),
            },
            tag: from.text(most::SERVICE)?,
            config: from.text(most::PATH)?,
            service: from.text(most::SERVICE)?,
            user: from.text(most::NAME)?,
            rhost: from.text(most::NAME)?,
            ruser: from.text(most::NAME)?,
            ssh_auth_info: from.text(most::SSH_AUTH_INFO)?,
            counts: from.text(crate::MAX_COUNTS)?,
        };
        from.end()?;
        Ok(request)
    }
}
