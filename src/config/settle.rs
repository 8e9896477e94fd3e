//! From a [`Draft`] to [`Settings`]: defaults, `[service.X]`, what keys mean together, and the
//! files that they name.
#![forbid(unsafe_code)]

mod ldap;
mod ledger;
mod twilio;

use std::{cell::RefCell, sync::Arc, time::Duration};

use super::{
    Code, Content, Error, Fault, Files, Password, Policy, Role, Settings, Source, Subject,
    draft::{At, Draft, Layers, Overlay, Slot},
    file,
    keys::allowed,
    messages::Messages,
    values::{
        FilePath, Why,
        secret::{self, Kind, Token},
    },
};
use crate::secret::Secret;

/// Reads the settings that count for one login.
pub(super) fn load(
    files: &dyn Files,
    path: &str,
    service: &str,
    argument: Option<Source>,
) -> Result<Settings, Error> {
    let desk = Desk {
        files,
        file: path,
        bundles: RefCell::default(),
    };
    let content = files
        .read(path, Role::Settings)
        .map_err(|why| desk.error(None, "", Fault::Unread(why)))?;
    let draft = file::parse(path, &content.bytes)?;
    desk.keeps_secrets(&draft, &content)?;
    let layers = draft.layers(service);
    desk.callers(&draft, layers)?;
    desk.caller(layers, argument, service)?;
    let code = code(layers);
    Ok(Settings {
        deadline: draft
            .deadline
            .as_ref()
            .map_or(Duration::from_secs(30), |at| at.value.0),
        password: Password {
            source: source(layers, argument),
            refuse_after: layers
                .value(|own| &own.refuse_after)
                .map_or(Duration::from_secs(2), |after| after.0),
        },
        messages: Messages::of(layers, code.digits),
        policy: Policy {
            min_uid: layers.value(|own| &own.min_uid).map_or(1000, |uid| uid.0),
            subject: subject(layers),
            remember: layers.value(|own| &own.remember).map(|while_| while_.0),
            new_phone: layers
                .value(|own| &own.new_phone)
                .map_or(Duration::ZERO, |wait| wait.0),
        },
        limits: ledger::limits(layers),
        code,
        twilio: desk.twilio(draft.twilio, draft.sections.get("twilio").copied())?,
        ldap: Arc::new(desk.ldap(draft.ldap, draft.sections.get("ldap").copied())?),
        ledger: desk.ledger(draft.ledger)?,
    })
}

fn source(layers: Layers<'_>, argument: Option<Source>) -> Source {
    argument
        .or_else(|| layers.value(|own| &own.source))
        .unwrap_or(Source::Ldap)
}

fn subject(layers: Layers<'_>) -> Subject {
    layers.value(|own| &own.subject).unwrap_or(Subject::User)
}

fn code(layers: Layers<'_>) -> Code {
    let digits = layers.value(|own| &own.digits).map(|digits| digits.0);
    Code {
        digits: digits
            .and_then(|digits| digits.try_into().ok())
            .unwrap_or(6),
        lifetime: layers
            .value(|own| &own.lifetime)
            .map_or(Duration::from_secs(300), |lifetime| lifetime.0),
        tries: layers.value(|own| &own.tries).map_or(3, |tries| tries.0),
        resends: layers
            .value(|own| &own.resends)
            .map_or(2, |resends| resends.0),
        echo: layers.value(|own| &own.echo).unwrap_or(true),
    }
}

/// Where settings are put together: the files, and the one whose settings they are.
struct Desk<'a> {
    files: &'a dyn Files,
    file: &'a str,
    /// What was read already: one file often vouches for all servers.
    bundles: RefCell<Vec<(String, Arc<[u8]>)>>,
}

/// A secret that stands in the settings or in a file of its own.
enum Kept {
    Here(At<Secret>),
    File(At<FilePath>),
}

impl Kept {
    /// Its key, and its line.
    fn spot(&self) -> (&str, usize) {
        match self {
            Self::Here(at) => at.spot(),
            Self::File(at) => at.spot(),
        }
    }
}

impl At<Token> {
    fn into_secret(self) -> At<Secret> {
        At {
            value: self.value.0,
            key: self.key,
            line: self.line,
        }
    }
}

impl<T> At<T> {
    fn spot(&self) -> (&str, usize) {
        (&self.key, self.line)
    }
}

impl Desk<'_> {
    fn error(&self, line: Option<usize>, key: &str, fault: Fault) -> Error {
        Error {
            file: self.file.to_owned(),
            line,
            key: key.to_owned(),
            fault,
        }
    }

    fn at(&self, (key, line): (&str, usize), fault: Fault) -> Error {
        self.error(Some(line), key, fault)
    }

    /// Two keys that exclude each other: blames the one that comes later.
    fn beside(&self, one: (&str, usize), other: (&str, usize)) -> Error {
        let (first, second) = if one.1 <= other.1 {
            (one, other)
        } else {
            (other, one)
        };
        let (key, line) = first;
        let other = format!("{key} (line {line})");
        self.at(second, Fault::Beside { other })
    }

    /// A settings file that holds a secret is read by nobody else.
    fn keeps_secrets(&self, draft: &Draft, content: &Content) -> Result<(), Error> {
        let secrets = [
            draft.twilio.token.as_ref().map(At::spot),
            draft.twilio.key_secret.as_ref().map(At::spot),
            draft.ldap.bind_password.as_ref().map(At::spot),
        ];
        let Some(first) = secrets.into_iter().flatten().min_by_key(|(_, line)| *line) else {
            return Ok(());
        };
        safe_path::check_secret(content.stat).map_err(|_| {
            let mode = content.stat.mode & 0o7777;
            self.at(first, Fault::Exposed { mode })
        })
    }

    /// Every `[service.X]`, whoever logs in: what is wrong there must not wait for its first user.
    /// But for the one that counts now, which is judged with what its PAM line says.
    fn callers(&self, draft: &Draft, now: Layers<'_>) -> Result<(), Error> {
        let counts = |own: &Overlay| now.own.is_some_and(|now| std::ptr::eq(now, own));
        let mut others = draft.services.iter().filter(|(_, own)| !counts(own));
        others.try_for_each(|(service, own)| {
            let layers = Layers {
                own: Some(own),
                common: &draft.common,
            };
            self.caller(layers, None, service)
        })
    }

    /// The caller's code never stands beside a first factor that we ask for: that one is of the
    /// person he wants to become.
    fn caller(
        &self,
        layers: Layers<'_>,
        argument: Option<Source>,
        service: &str,
    ) -> Result<(), Error> {
        match layers.get(|own| &own.subject) {
            Some(at)
                if at.value == Subject::Caller && source(layers, argument) != Source::Stack =>
            {
                let service = service.to_owned();
                Err(self.at(at.spot(), Fault::CallerWithoutStack { service }))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A key without which nothing works.
    fn need<T>(
        &self,
        slot: Slot<T>,
        section: Option<usize>,
        key: &'static str,
    ) -> Result<T, Error> {
        let allowed = allowed(key);
        slot.map(|at| at.value)
            .ok_or_else(|| self.error(section, key, Fault::Missing { allowed }))
    }

    /// A secret, in the settings or in a file of its own, not both.
    fn kept(&self, here: Slot<Secret>, file: Slot<FilePath>) -> Result<Option<Kept>, Error> {
        match (here, file) {
            (Some(here), Some(file)) => Err(self.beside(here.spot(), file.spot())),
            (Some(here), None) => Ok(Some(Kept::Here(here))),
            (None, file) => Ok(file.map(Kept::File)),
        }
    }

    fn open(&self, kept: Kept, kind: Kind) -> Result<Secret, Error> {
        let at = match kept {
            Kept::Here(at) => return Ok(at.value),
            Kept::File(at) => at,
        };
        let mut content = self.read(&at, Role::Secret)?;
        secret::parse(std::mem::take(&mut *content.bytes), kind)
            .map_err(|Why(why)| self.content(&at, why, kind.allowed()))
    }

    /// What is wrong with the content of a file that was read.
    fn content(&self, at: &At<FilePath>, why: &'static str, allowed: &'static str) -> Error {
        let path = at.value.0.clone();
        self.at(at.spot(), Fault::Content { path, why, allowed })
    }

    fn read(&self, at: &At<FilePath>, role: Role) -> Result<Content, Error> {
        self.files
            .read(&at.value.0, role)
            .map_err(|why| self.at(at.spot(), Fault::File(why)))
    }

    fn bundle(&self, slot: Slot<FilePath>) -> Result<Option<Arc<[u8]>>, Error> {
        const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
        let Some(at) = slot else { return Ok(None) };
        let mut known = self.bundles.borrow_mut();
        if let Some((_, pem)) = known.iter().find(|(path, _)| *path == at.value.0) {
            return Ok(Some(Arc::clone(pem)));
        }
        let content = self.read(&at, Role::Bundle)?;
        if content
            .bytes
            .windows(BEGIN.len())
            .any(|bytes| bytes == BEGIN)
        {
            let pem: Arc<[u8]> = Arc::from(content.bytes.as_slice());
            known.push((at.value.0, Arc::clone(&pem)));
            return Ok(Some(pem));
        }
        let why = "it holds no certificate";
        let allowed = "PEM, with -----BEGIN CERTIFICATE-----";
        Err(self.content(&at, why, allowed))
    }
}
