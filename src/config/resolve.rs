//! Resolves what the file sets to the [`Settings`] of one login: `[service.X]`, defaults, keys that
//! depend on each other, and the files that they name.
#![forbid(unsafe_code)]

mod ldap;
mod ledger;
mod twilio;

use std::{cell::RefCell, sync::Arc};

use super::{
    Content, Error, Fault, Files, Messages, Role, Settings, Source, Subject,
    parse::parse,
    table::{self, File, Located, PerService},
    template::Template,
    value_types::{
        Invalid,
        secret::{self, Kind},
    },
};
use crate::secret::Secret;

/// Loads the settings of one login.
pub(super) fn load(
    files: &dyn Files,
    path: &str,
    service: &str,
    argument: Option<Source>,
) -> Result<Settings, Error> {
    let resolver = Resolver {
        files,
        path,
        bundles: RefCell::default(),
    };
    let content = files
        .read(path, Role::Settings)
        .map_err(|why| resolver.error(None, "", Fault::Unread(why)))?;
    let file = parse(path, &content.bytes)?;
    resolver.check_secrets(&file, &content)?;
    let own = file.service(service);
    resolver.check_other_services(&file, own)?;
    let keys = own.cloned().unwrap_or_default().over(&file.common);
    resolver.check_caller(&keys, argument, service)?;
    resolver.settings(&file, &keys, argument)
}

/// Where settings are resolved: the files, and the path of the settings.
struct Resolver<'a> {
    files: &'a dyn Files,
    path: &'a str,
    /// CA files that were read already: one is often named for all servers.
    bundles: RefCell<Vec<(String, Arc<[u8]>)>>,
}

/// A secret in the settings, or the file that contains it.
enum SecretSource<'a> {
    Inline(&'a Located<Secret>),
    File(&'a Located<String>),
}

/// A key and its line.
type Spot<'a> = (&'a str, usize);

impl<'a> SecretSource<'a> {
    fn spot(&self) -> Spot<'a> {
        match self {
            Self::Inline(located) => located.spot(),
            Self::File(located) => located.spot(),
        }
    }
}

impl<T> Located<T> {
    fn spot(&self) -> Spot<'_> {
        (&self.key, self.line)
    }
}

/// The services of `sudo -i` and `su -`. The section of the second name applies to the first, unless
/// that has its own.
pub const LOGIN_SHELLS: [(&str, &str); 2] = [("sudo-i", "sudo"), ("su-l", "su")];

impl File {
    /// Returns the keys of `[service.X]`.
    fn service(&self, service: &str) -> Option<&PerService> {
        let service = service.to_ascii_lowercase();
        let mut shells = LOGIN_SHELLS.iter();
        let other = shells.find(|(shell, _)| *shell == service);
        let services = &self.services;
        services
            .get(&service)
            .or_else(|| services.get(other.map(|(_, other)| *other)?))
    }
}

impl Resolver<'_> {
    fn settings(
        &self,
        file: &File,
        keys: &PerService,
        argument: Option<Source>,
    ) -> Result<Settings, Error> {
        let section = |name: &str| file.sections.get(name).copied();
        let mut password = self.valid(keys.password.build())?;
        password.source = argument.unwrap_or(password.source);
        let code = self.valid(keys.code.build())?;
        Ok(Settings {
            deadline: self.valid(file.top.build())?.deadline,
            messages: self.messages(keys, code.digits)?,
            password,
            code,
            policy: self.valid(keys.policy.build())?,
            limits: self.valid(keys.limits.build())?,
            twilio: self.twilio(&file.twilio, section("twilio"))?,
            ldap: Arc::new(self.ldap(&file.ldap, section("ldap"))?),
            ledger: self.ledger(&file.ledger)?,
        })
    }

    /// Two texts depend on other settings while they have their default.
    fn messages(&self, keys: &PerService, digits: u8) -> Result<Messages, Error> {
        let keys = &keys.messages;
        let mut messages = self.valid(keys.build(Template::last_grace()))?;
        let default = self.valid(table::MessagesKeys::default().build(Template::last_grace()))?;
        if messages.grace != default.grace {
            messages.last_grace = messages.grace.clone();
        }
        if keys.not_a_code.is_none() {
            messages.not_a_code = Template::not_a_code(digits);
        }
        Ok(messages)
    }

    /// A default that its own key refuses is a defect of the table. It refuses the login, too.
    fn valid<T>(&self, built: Result<T, Invalid>) -> Result<T, Error> {
        built.map_err(|Invalid(why)| {
            let allowed = "a default that its key allows; please report this".to_owned();
            self.error(None, "", Fault::Value { why, allowed })
        })
    }

    fn error(&self, line: Option<usize>, key: &str, fault: Fault) -> Error {
        Error {
            file: self.path.to_owned(),
            line,
            key: key.to_owned(),
            fault,
        }
    }

    fn error_at(&self, (key, line): Spot<'_>, fault: Fault) -> Error {
        self.error(Some(line), key, fault)
    }

    /// Reports that two keys exclude each other, at the one that is set later.
    fn conflict(&self, one: Spot<'_>, other: Spot<'_>) -> Error {
        let (first, second) = if one.1 <= other.1 {
            (one, other)
        } else {
            (other, one)
        };
        let (key, line) = first;
        let other = format!("{key} (line {line})");
        self.error_at(second, Fault::Conflict { other })
    }

    fn requires(&self, spot: Spot<'_>, other: &'static str) -> Error {
        self.error_at(spot, Fault::Requires { other })
    }

    /// Others must not be able to read a settings file that contains a secret.
    fn check_secrets(&self, file: &File, content: &Content) -> Result<(), Error> {
        let Some((key, line)) = file.secrets.iter().min_by_key(|(_, line)| *line) else {
            return Ok(());
        };
        safe_path::check_secret(content.stat).map_err(|_| {
            let mode = content.stat.mode & 0o7777;
            self.error_at((key, *line), Fault::Exposed { mode })
        })
    }

    /// Checks each `[service.X]`, so that an error in one is found at the next login at any service. The
    /// service of this login is checked with the argument of its PAM line instead.
    fn check_other_services(&self, file: &File, current: Option<&PerService>) -> Result<(), Error> {
        let is_current =
            |own: &PerService| current.is_some_and(|current| std::ptr::eq(current, own));
        let mut others = file.services.iter().filter(|(_, own)| !is_current(own));
        others.try_for_each(|(service, own)| {
            self.check_caller(&own.clone().over(&file.common), None, service)
        })
    }

    /// The caller's code requires that the stack has verified the first factor: the password that this
    /// module asks for is that of the target user.
    fn check_caller(
        &self,
        keys: &PerService,
        argument: Option<Source>,
        service: &str,
    ) -> Result<(), Error> {
        let source = self.valid(keys.password.build())?.source;
        let source = argument.unwrap_or(source);
        match &keys.policy.subject {
            Some(set) if set.value == Subject::Caller && source != Source::Stack => {
                let service = service.to_owned();
                Err(self.error_at(set.spot(), Fault::CallerWithoutStack { service }))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Returns a required key.
    fn require<'t, T>(
        &self,
        field: Option<&'t Located<T>>,
        section: Option<usize>,
        key: &'static str,
    ) -> Result<&'t Located<T>, Error> {
        field.ok_or_else(|| {
            let allowed = table::allowed(key);
            self.error(section, key, Fault::Missing { allowed })
        })
    }

    /// Returns where a secret is: in the settings or in a file of its own, not both.
    fn secret_source<'t>(
        &self,
        inline: Option<&'t Located<Secret>>,
        file: Option<&'t Located<String>>,
    ) -> Result<Option<SecretSource<'t>>, Error> {
        match (inline, file) {
            (Some(inline), Some(file)) => Err(self.conflict(inline.spot(), file.spot())),
            (Some(inline), None) => Ok(Some(SecretSource::Inline(inline))),
            (None, file) => Ok(file.map(SecretSource::File)),
        }
    }

    fn secret(&self, source: &SecretSource<'_>, kind: Kind) -> Result<Secret, Error> {
        match source {
            SecretSource::Inline(inline) => Ok(inline.value.clone()),
            SecretSource::File(path) => self.secret_file(path, kind),
        }
    }

    fn secret_file(&self, path: &Located<String>, kind: Kind) -> Result<Secret, Error> {
        let mut content = self.read(path, Role::Secret)?;
        secret::parse(std::mem::take(&mut *content.bytes), kind)
            .map_err(|Invalid(why)| self.content(path, why, kind.allowed()))
    }

    /// Reports invalid content of a file that was read.
    fn content(&self, path: &Located<String>, why: &'static str, allowed: &'static str) -> Error {
        let fault = Fault::Content {
            path: path.value.clone(),
            why,
            allowed,
        };
        self.error_at(path.spot(), fault)
    }

    fn read(&self, path: &Located<String>, role: Role) -> Result<Content, Error> {
        self.files
            .read(&path.value, role)
            .map_err(|why| self.error_at(path.spot(), Fault::File(why)))
    }

    fn ca_bundle(&self, path: Option<&Located<String>>) -> Result<Option<Arc<[u8]>>, Error> {
        const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
        let Some(path) = path else { return Ok(None) };
        let mut bundles = self.bundles.borrow_mut();
        if let Some((_, pem)) = bundles.iter().find(|(known, _)| *known == path.value) {
            return Ok(Some(Arc::clone(pem)));
        }
        let content = self.read(path, Role::Bundle)?;
        let mut windows = content.bytes.windows(BEGIN.len());
        if windows.any(|bytes| bytes == BEGIN) {
            let pem: Arc<[u8]> = Arc::from(content.bytes.as_slice());
            bundles.push((path.value.clone(), Arc::clone(&pem)));
            return Ok(Some(pem));
        }
        let why = "it contains no certificate";
        Err(self.content(path, why, "PEM, with -----BEGIN CERTIFICATE-----"))
    }
}
