//! The story of one login: password → phone → ledger → code → SMS → prompt → verdict.
//!
//! It is told through traits, so that a scripted person and a real terminal, a real directory and
//! one in memory read the same. The rooms below say what they found; only here is decided what
//! becomes of it.
#![forbid(unsafe_code)]

mod account;
mod counts;
mod password;
mod patience;
mod prompt;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod refusal;
mod services;
mod texts;

#[cfg(test)]
mod tests;

pub use counts::Counts;
pub use refusal::leaves;
pub use services::{Clock, Conversation, PromptReply, Services};

use std::time::Duration;

use crate::{
    config::{Settings, Source, Subject},
    deadline::{Deadline, Moment},
    directory::{Entry, Found},
    failure::{Failure, FailureKind, Stage},
    id::LoginId,
    phone::Phone,
    policy::{self, NotAsked, SshProof, StackProof},
    verdict::{Denied, First, Granted, Outcome, Second, Whose},
};
use account::Admitted;
use password::PasswordHash;
use patience::Patience;

/// What is known of a login before it begins.
pub struct Request<'a> {
    pub id: LoginId,
    pub user: &'a [u8],
    pub rhost: &'a str,
    /// Who calls, as the host says it; empty where it does not.
    pub ruser: &'a [u8],
    /// The terminal session that he calls from.
    pub session: Option<&'a str>,
    pub service: &'a str,
    /// This machine's name.
    pub host: &'a str,
    /// Real uid of whoever calls.
    pub caller: u32,
    pub ssh_auth_info: &'a [u8],
    /// The host shows no texts.
    pub silent: bool,
    pub started: Moment,
}

/// How a login ended, and what is left to do about it.
pub struct Ended {
    pub outcome: Outcome,
    /// Which first factor was proved, if one was.
    pub first: Option<&'static str>,
    /// What else the administrator may want to know of a refusal.
    pub detail: Option<String>,
    /// What the person is told of a refusal.
    pub text: Option<String>,
    /// What accompanies a granted login.
    pub notice: Option<String>,
    /// When the waiting of a refusal that comes before the first factor began.
    pub asked_at: Moment,
    pub counts: Counts,
}

/// Tells the story.
#[must_use]
pub fn run<'a>(
    request: &'a Request<'a>,
    settings: &'a Settings,
    counts: Counts,
    services: Services<'a>,
) -> Ended {
    let mut login = Login {
        request,
        settings,
        // What came before this was no wait for any server: whoever stops this process there does not
        // make it one.
        patience: Patience::new(settings.deadline, counts.waited, services.clock.now()),
        counts,
        services,
        first: None,
        phone: None,
        origin: None,
        password: None,
        grace: None,
        guesses: 0,
        wait: None,
        detail: None,
        asked_at: request.started,
    };
    let outcome = match login.story() {
        Ok(passed) => passed,
        Err(End::Denied(denied)) => Outcome::Denied(denied),
        Err(End::Failed(failed)) => Outcome::Failed(failed),
    };
    login.counts.waited = login.patience.spent(login.services.clock.now());
    Ended {
        text: login.last_words(&outcome),
        notice: login.notice(&outcome),
        first: login.first,
        detail: login.detail,
        asked_at: login.asked_at,
        counts: login.counts,
        outcome,
    }
}

/// Every end but success.
enum End {
    Denied(Denied),
    Failed(Failure),
}

impl From<Denied> for End {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

struct Login<'a> {
    request: &'a Request<'a>,
    settings: &'a Settings,
    services: Services<'a>,
    patience: Patience,
    counts: Counts,
    first: Option<&'static str>,
    phone: Option<Phone>,
    /// Where he comes from, as far as a login may be remembered for it.
    origin: Option<policy::Origin>,
    /// Recognizes the verified password, which itself is wiped.
    password: Option<PasswordHash>,
    /// How many logins are left with a password that has expired.
    grace: Option<u32>,
    /// Wrong codes of others that the user is to be shown.
    guesses: u32,
    /// How long he has to wait before he may try again.
    wait: Option<Duration>,
    detail: Option<String>,
    asked_at: Moment,
}

impl Login<'_> {
    /// One login, from the first question to the proof of both factors. Whom to ask for is known
    /// before the password is, so that what needs no more can be done while he types; if it is
    /// nobody, he is told after it.
    fn story(&mut self) -> Result<Outcome, End> {
        let source = self.source();
        let person = self.who();
        self.begin(source, &person);
        let password = self.ask_password(source)?;
        let person = person.map_err(|not| self.not_asked(not))?;
        let vouched = self.vouched_for(source)?;
        let entry = self.find(&person)?;
        let first = match vouched {
            Some(first) => first,
            None => self.prove(&entry, password)?,
        };
        let account = self.account(&person, &entry)?;
        let second = match self.admit(&account)? {
            Admitted::Exempt(exemption) => Second::Exempt(exemption),
            Admitted::Sms(slot) => {
                let code = self.send_first(&account, slot)?;
                Second::Code(self.ask_until_right(&account, code)?)
            }
        };
        let outcome = self.conclude(&first, second)?;
        self.show_guesses(&account);
        Ok(outcome)
    }

    /// Where the first factor comes from in this login.
    fn source(&self) -> Source {
        match self.settings.password.source {
            Source::Auto if self.ssh_proof().is_some() => Source::Ssh,
            Source::Auto => Source::Ldap,
            source => source,
        }
    }

    fn ssh_proof(&self) -> Option<SshProof> {
        SshProof::read(self.request.ssh_auth_info, self.request.id)
    }

    /// Begins what can be done beside the prompt, and waits for none of it. Only with a permit, and for
    /// names that NSS knows: whoever tries names has no connection of ours to use up, nobody is asked about those
    /// that sshd refuses because it does not know them, and that something is asked tells an
    /// onlooker on this machine nothing of the directory.
    fn begin(&mut self, source: Source, person: &Result<policy::Person, NotAsked>) {
        let Ok(person) = person else { return };
        if !person.is_known() || (source == Source::Ssh && self.ssh_proof().is_none()) {
            return;
        }
        let Some(permit) = self.services.permits.take() else {
            self.services.log.step("no connections ahead");
            return;
        };
        let by = self.services.clock.now().after(self.settings.deadline);
        let directory = &mut self.services.directory;
        directory.begin(person.name(), Deadline::at(by), permit.clone());
        self.services.ledger.begin(permit.clone());
        if self.counts.may_send(self.settings.code.resends) {
            self.services.carrier.begin(permit);
        }
    }

    fn whose(&self) -> Whose {
        match self.settings.policy.subject {
            Subject::User => Whose::User,
            Subject::Caller => Whose::Caller,
        }
    }

    /// Who is to prove himself.
    fn who(&mut self) -> Result<policy::Person, NotAsked> {
        let Request { user, caller, .. } = *self.request;
        let Settings { policy, ldap, .. } = self.settings;
        let names = self.services.names;
        let person = policy::person(policy, user, caller, names, |name| ldap.search_name(name))?;
        if self.whose() == Whose::Caller {
            self.services.log.set_caller(person.name());
        }
        Ok(person)
    }

    /// What becomes of a login whose name is not the directory's.
    fn not_asked(&mut self, not: NotAsked) -> End {
        let (denied, why) = match not {
            NotAsked::SystemUser(why) => (Denied::SystemUser(self.whose()), why),
            NotAsked::SystemAlias(why) => (Denied::SystemAlias, why),
            NotAsked::NoName(why) => (Denied::NoSuchUser(self.whose()), why),
            NotAsked::LookUp(why) => return failed(Stage::Policy, FailureKind::Local, why),
        };
        self.deny(denied, why)
    }

    /// A refusal, and which of its causes it has.
    fn deny(&mut self, denied: Denied, detail: impl Into<String>) -> End {
        self.detail = Some(detail.into());
        denied.into()
    }

    /// A first factor that something before us has proved.
    fn vouched_for(&mut self, source: Source) -> Result<Option<First>, End> {
        let first = match source {
            Source::Ldap | Source::Auto => return Ok(None),
            Source::Ssh => First::Ssh(self.ssh_proof().ok_or_else(|| {
                let why = match self.request.ssh_auth_info {
                    [] => "SSH_AUTH_INFO_0 is not there or empty",
                    _ => "SSH_AUTH_INFO_0 names no method that counts",
                };
                self.deny(Denied::NoFirstFactor, why)
            })?),
            Source::Stack => {
                let proof = StackProof::read(&self.settings.password, self.request.id);
                let why = "password.source is not \"stack\"";
                First::Stack(proof.ok_or_else(|| self.deny(Denied::NoFirstFactor, why))?)
            }
        };
        self.is_proved(&first);
        Ok(Some(first))
    }

    /// The person's one entry.
    fn find(&mut self, person: &policy::Person) -> Result<Entry, End> {
        let by = self.patience.deadline();
        match self.services.directory.find(person.name(), by) {
            Ok(Found::One(entry)) => {
                self.is_known();
                self.services.log.step("one entry found");
                let policy = &self.settings.policy;
                policy::check_names(policy, person, entry.names(), self.services.names)
                    .map_err(|not| self.not_asked(not))?;
                Ok(entry)
            }
            Ok(Found::None) => Err(self.deny(
                Denied::NoSuchUser(self.whose()),
                "no entry in the directory",
            )),
            Ok(Found::Elsewhere) => Err(self.deny(
                Denied::NoSuchUser(self.whose()),
                "no entry in the directory, but referrals to other servers, which are not followed: \
                 add the server that holds the entry to [ldap] uris",
            )),
            Ok(Found::Several) => {
                self.is_known();
                Err(Denied::Ambiguous.into())
            }
            Err(failure) => Err(End::Failed(failure)),
        }
    }

    /// The directory knows the name, so it may be logged; the caller's entry says nothing of the
    /// user's.
    fn is_known(&mut self) {
        if self.whose() == Whose::User {
            self.services.log.mark_known();
        }
    }

    /// Both proofs put together. They are of this login, so that this cannot fail; if it did, it
    /// would be our fault. An exemption behind a stack's word is no success of ours: the stack
    /// decides.
    fn conclude(&self, first: &First, second: Second) -> Result<Outcome, End> {
        match (first, second) {
            (First::Stack(_), Second::Exempt(exemption)) => Ok(Outcome::LeftToStack(exemption)),
            (_, second) => Granted::new(self.request.id, first, second)
                .map(Outcome::Granted)
                .ok_or_else(|| {
                    failed(
                        Stage::Helper,
                        FailureKind::Helper,
                        "proofs of different logins; please report this",
                    )
                }),
        }
    }
}

fn failed(stage: Stage, kind: FailureKind, what: impl Into<String>) -> End {
    End::Failed(Failure::new(stage, kind, what, ""))
}
