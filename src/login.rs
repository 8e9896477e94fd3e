//! One login: password → phone → ledger → code → SMS → prompt → verdict.
//!
//! Everything outside of it is a trait ([`Services`]), so that the same code runs with real servers and
//! with fakes in memory. The modules below report facts. What a fact means for the login is decided here
//! only.
#![forbid(unsafe_code)]

mod account;
mod admission;
mod counts;
mod password;
mod prompt;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod refusal_time;
mod services;
mod texts;
mod wait_budget;

#[cfg(test)]
mod tests;

pub(crate) use counts::Counts;
pub(crate) use refusal_time::refusal_time;
pub(crate) use services::{Clock, Conversation, PromptReply, Services};

use crate::{
    config::{Settings, Source, Subject},
    deadline::{Deadline, Moment},
    directory::{Entry, Found},
    failure::{Failure, FailureKind, Stage},
    id::LoginId,
    phone::Phone,
    policy::{self, Identity, IdentityError, SshProof, StackProof},
    verdict::{Denied, FirstFactor, Granted, Outcome, Refusal, SecondFactor},
};
use admission::NextStep;
use password::PasswordHash;
use wait_budget::WaitBudget;

/// What is known about a login before it begins.
pub(crate) struct Request<'a> {
    pub id: LoginId,
    pub user: &'a [u8],
    pub rhost: &'a str,
    /// The calling user as the host process reports it. Empty if it does not.
    pub ruser: &'a [u8],
    /// The terminal session of the host process.
    pub session: Option<&'a str>,
    pub service: &'a str,
    /// The name of this machine.
    pub host: &'a str,
    /// Real uid of the calling process.
    pub caller: u32,
    pub ssh_auth_info: &'a [u8],
    /// Whether the host process shows no texts.
    pub silent: bool,
    pub started: Moment,
}

/// How a login ended, and what remains to be done.
pub(crate) struct LoginResult {
    pub outcome: Outcome,
    /// Which first factor was verified, if one was.
    pub first: Option<&'static str>,
    /// The error text for the user.
    pub error_text: Option<String>,
    /// The text that accompanies a granted login.
    pub info_text: Option<String>,
    /// When the delay of a refusal before the first factor begins.
    pub delay_start: Moment,
    pub counts: Counts,
}

/// Runs one login.
#[must_use]
pub(crate) fn authenticate<'a>(
    request: &'a Request<'a>,
    settings: &'a Settings,
    counts: Counts,
    services: Services<'a>,
) -> LoginResult {
    let mut login = Login {
        request,
        settings,
        // The time before this was not spent waiting for a server.
        budget: WaitBudget::new(settings.deadline, counts.waited, services.clock.now()),
        counts,
        services,
        first: None,
        phone: None,
        origin: None,
        password: None,
        grace: None,
        guesses: 0,
        delay_start: request.started,
    };
    let outcome = login.authenticate().unwrap_or_else(Outcome::from);
    login.counts.waited = login.budget.spent(login.services.clock.now());
    LoginResult {
        error_text: login.final_message(&outcome),
        info_text: login.grace_message(&outcome),
        first: login.first,
        delay_start: login.delay_start,
        counts: login.counts,
        outcome,
    }
}

/// Why a login ends without success.
enum LoginError {
    Denied(Refusal),
    Failed(Failure),
}

impl From<Refusal> for LoginError {
    fn from(refusal: Refusal) -> Self {
        Self::Denied(refusal)
    }
}

impl From<Denied> for LoginError {
    fn from(reason: Denied) -> Self {
        Self::Denied(reason.into())
    }
}

impl From<Failure> for LoginError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<LoginError> for Outcome {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Denied(refusal) => Self::Denied(refusal),
            LoginError::Failed(failure) => Self::Failed(failure),
        }
    }
}

struct Login<'a> {
    request: &'a Request<'a>,
    settings: &'a Settings,
    services: Services<'a>,
    budget: WaitBudget,
    counts: Counts,
    first: Option<&'static str>,
    phone: Option<Phone>,
    /// The origin that this login may be remembered for.
    origin: Option<policy::Origin>,
    /// Recognizes the verified password, which itself is wiped.
    password: Option<PasswordHash>,
    /// How many logins are left with an expired password.
    grace: Option<u32>,
    /// Wrong codes of others, to be shown to the user.
    guesses: u32,
    delay_start: Moment,
}

impl Login<'_> {
    /// The sequence of one login, from the first prompt to the proofs of both factors. The user is
    /// resolved before the password prompt, so that connections can be opened while the user types; a
    /// user who is not accepted is refused after it.
    fn authenticate(&mut self) -> Result<Outcome, LoginError> {
        let source = self.password_source();
        let identity = self.resolve_user();
        self.prefetch(source, &identity);
        let password = self.prompt_password(source)?;
        let identity = identity.map_err(|error| self.not_accepted(error))?;
        let external = self.external_factor(source)?;
        let entry = self.find_entry(&identity)?;
        let first = match external {
            Some(first) => first,
            None => self.verify_password(&entry, password)?,
        };
        let account = self.account(&identity, &entry)?;
        let second = match self.admit(&account)? {
            NextStep::Exempt(exemption) => SecondFactor::Exempt(exemption),
            NextStep::Reserved(reservation) => {
                let code = self.send_first(&account, reservation)?;
                SecondFactor::Code(self.prompt_until_correct(&account, code)?)
            }
        };
        let outcome = self.conclude(&first, second)?;
        self.show_guesses(&account);
        Ok(outcome)
    }

    /// Returns where the first factor of this login comes from.
    fn password_source(&self) -> Source {
        match self.settings.password.source {
            Source::Auto if self.ssh_proof().is_some() => Source::Ssh,
            Source::Auto => Source::Ldap,
            source => source,
        }
    }

    fn ssh_proof(&self) -> Option<SshProof> {
        SshProof::parse(self.request.ssh_auth_info, self.request.id)
    }

    /// Resolves the user who has to authenticate.
    fn resolve_user(&mut self) -> Result<Identity, IdentityError> {
        let Request { user, caller, .. } = *self.request;
        let Settings { policy, ldap, .. } = self.settings;
        let names = self.services.names;
        let identity =
            policy::resolve_user(policy, user, caller, names, |name| ldap.search_name(name))?;
        if policy.subject == Subject::Caller {
            self.services.log.set_caller(identity.name());
        }
        Ok(identity)
    }

    /// Starts to connect in the background, without waiting. Requires a permit and a name that NSS has:
    /// otherwise anybody who tries names could use up connections, names that sshd refuses would be
    /// searched for, and an observer on this machine could see which names are in the directory.
    fn prefetch(&mut self, source: Source, identity: &Result<Identity, IdentityError>) {
        let Ok(identity) = identity else { return };
        if !identity.is_known() || (source == Source::Ssh && self.ssh_proof().is_none()) {
            return;
        }
        let Some(permit) = self.services.permits.take() else {
            self.services.log.step("no permit for early connections");
            return;
        };
        let by = self.services.clock.now().after(self.settings.deadline);
        let directory = &mut self.services.directory;
        directory.begin(identity.name(), Deadline::at(by), permit.clone());
        self.services.ledger.begin(permit.clone());
        if self.counts.may_send(self.settings.code.resends) {
            self.services.carrier.begin(permit);
        }
    }

    /// Converts the reason why the user or the entry is not accepted.
    fn not_accepted(&self, error: IdentityError) -> LoginError {
        let subject = self.settings.policy.subject;
        let (denied, why) = match error {
            IdentityError::SystemUser(why) => (Denied::SystemUser(subject), why),
            IdentityError::SystemAlias(why) => (Denied::SystemAlias, why),
            IdentityError::InvalidName(why) => (Denied::NoSuchUser(subject), why),
            IdentityError::Lookup(why) => {
                return Failure::new(Stage::Policy, FailureKind::Local, why, "").into();
            }
        };
        Refusal::new(denied, why).into()
    }

    /// Returns a first factor that another program has verified: sshd, or an earlier module of the stack.
    fn external_factor(&mut self, source: Source) -> Result<Option<FirstFactor>, LoginError> {
        let first = match source {
            Source::Ldap | Source::Auto => return Ok(None),
            Source::Ssh => self.ssh_proof().map(FirstFactor::Ssh).ok_or_else(|| {
                let why = match self.request.ssh_auth_info {
                    [] => "SSH_AUTH_INFO_0 is missing or empty",
                    _ => "SSH_AUTH_INFO_0 has no accepted method",
                };
                Refusal::new(Denied::NoFirstFactor, why)
            }),
            Source::Stack => StackProof::from_settings(&self.settings.password, self.request.id)
                .map(FirstFactor::Stack)
                .ok_or_else(|| {
                    let why = "password.source is not \"stack\"";
                    Refusal::new(Denied::NoFirstFactor, why)
                }),
        }?;
        self.record_first_factor(&first);
        Ok(Some(first))
    }

    /// Finds the single directory entry of the user.
    fn find_entry(&mut self, identity: &Identity) -> Result<Entry, LoginError> {
        let subject = self.settings.policy.subject;
        let by = self.budget.deadline();
        let found = self.services.directory.find(identity.name(), by);
        match found? {
            Found::One(entry) => {
                self.mark_known();
                self.services.log.step("one entry found");
                let policy = &self.settings.policy;
                policy::check_names(policy, identity, entry.names(), self.services.names)
                    .map_err(|error| self.not_accepted(error))?;
                Ok(entry)
            }
            Found::None => {
                let why = "no entry in the directory";
                Err(Refusal::new(Denied::NoSuchUser(subject), why).into())
            }
            Found::Elsewhere => {
                let why = "no entry in the directory, but referrals to other servers, which are not \
                           followed: add the server that holds the entry to [ldap] uris";
                Err(Refusal::new(Denied::NoSuchUser(subject), why).into())
            }
            Found::Several => {
                self.mark_known();
                Err(Denied::Ambiguous.into())
            }
        }
    }

    /// Marks the user's name as one of the directory, so that it may be logged. A caller's entry does not
    /// show that the user's name exists.
    fn mark_known(&self) {
        if self.settings.policy.subject == Subject::User {
            self.services.log.mark_known();
        }
    }

    /// Combines both proofs. They belong to this login, so that this does not fail; if it did, the
    /// product would have an error. An exemption after `stack` is not a success of this product: the stack
    /// decides.
    fn conclude(&self, first: &FirstFactor, second: SecondFactor) -> Result<Outcome, LoginError> {
        match (first, second) {
            (FirstFactor::Stack(_), SecondFactor::Exempt(exemption)) => {
                Ok(Outcome::LeftToStack(exemption))
            }
            (_, second) => Granted::new(self.request.id, first, second)
                .map(Outcome::Granted)
                .ok_or_else(|| {
                    let what = "proofs of different logins; please report this";
                    Failure::new(Stage::Helper, FailureKind::Helper, what, "").into()
                }),
        }
    }
}
