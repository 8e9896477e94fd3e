//! The complete file.

use std::{ops::RangeInclusive, time::Duration};

use safe_path::Stat;
use zeroize::Zeroizing;

use crate::config::{
    Content, Error, Fault, Files, LdapUri, Role, Security, Settings, Source, Subject, Unsafe,
    address::is_loopback, load,
};

const FILE: &str = "/etc/security/sms_otp.toml";

/// The secret in the seeds, and in the files that settings name.
const MARK: &str = "d0NotPrintMe123";

/// The content of files with a secret, long enough to be a key.
const FROM_FILE: &str = "d0NotPrintMe123d0NotPrintMe123d0NotPrintMe123";

/// The settings are accepted with every value in its range, or refused in one line that names the place and
/// repeats no value. As in `tests/cases/settings`, comments may set the circumstances of the login: `# service: su`, `# argument: stack`, `# mode: 0644`.
pub fn settings(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let note = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix("# ")?.strip_prefix(name))
    };
    let argument = match note("argument: ") {
        Some("ldap") => Some(Source::Ldap),
        Some("ssh") => Some(Source::Ssh),
        Some("auto") => Some(Source::Auto),
        Some("stack") => Some(Source::Stack),
        _ => None,
    };
    let mode = note("mode: ").and_then(|mode| u32::from_str_radix(mode, 8).ok());
    let files = OneFile {
        settings: bytes,
        mode: mode.unwrap_or(0o600),
    };
    match load(&files, FILE, note("service: ").unwrap_or("sshd"), argument) {
        Ok(settings) => {
            check_ranges(&settings);
            check_protection(&settings);
            check_debug(&settings, &text);
        }
        Err(error) => check_error(&error, bytes),
    }
}

/// The settings, and the same content for every file that they name.
struct OneFile<'a> {
    settings: &'a [u8],
    mode: u32,
}

impl Files for OneFile<'_> {
    fn read(&self, _: &str, role: Role) -> Result<Content, Unsafe> {
        let (bytes, mode) = match role {
            Role::Settings => (self.settings.to_vec(), self.mode),
            Role::Secret => (format!("{FROM_FILE}\n").into_bytes(), 0o600),
            Role::Bundle => (b"-----BEGIN CERTIFICATE-----\n".to_vec(), 0o644),
        };
        let stat = Stat {
            mode: 0o100_000 | mode,
            uid: 0,
            gid: 0,
            size: bytes.len().try_into().unwrap_or(u64::MAX),
        };
        let bytes = Zeroizing::new(bytes);
        Ok(Content { bytes, stat })
    }
}

/// The ranges of the manual page.
fn check_ranges(settings: &Settings) {
    let time = |time: Duration, allowed: RangeInclusive<u64>| {
        let allowed =
            Duration::from_millis(*allowed.start())..=Duration::from_millis(*allowed.end());
        assert!(allowed.contains(&time), "{time:?}");
    };
    time(settings.deadline, 1_000..=120_000);
    time(settings.twilio.timeout, 100..=60_000);
    time(settings.ldap.timeout, 100..=60_000);
    time(settings.password.refuse_after, 0..=10_000);
    let code = &settings.code;
    time(code.lifetime, 5_000..=600_000);
    assert!((6..=10).contains(&code.digits));
    assert!((1..=10).contains(&code.tries) && code.resends <= 10);
    let limits = &settings.limits;
    time(limits.pause, 0..=300_000);
    time(limits.lock, 1_000..=86_400_000);
    assert!((1..=100).contains(&limits.failures) && (1..=100).contains(&limits.disable_after));
    for rule in limits.sms.iter().chain(&limits.sms_total) {
        assert!(rule.most > 0 && !rule.within.is_zero());
    }
    for prefix in &limits.allowed_prefixes {
        let digits = prefix.strip_prefix('+').unwrap_or_default();
        assert!(!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    }
    assert!(settings.policy.min_uid > 0);
    let ldap = &settings.ldap;
    assert!(!ldap.uris.is_empty() && !ldap.phone_attributes.is_empty());
    assert!(ldap.filter.contains("{user}") && ldap.base.contains('='));
}

/// Nothing is sent to another host without TLS, and the caller's code requires the stack's first factor.
fn check_protection(settings: &Settings) {
    for uri in &settings.ldap.uris {
        if let LdapUri::Tcp {
            host,
            port,
            security: Security::Loopback,
        } = uri
        {
            assert!(is_loopback(host) && *port < 1024);
        }
    }
    let twilio = &settings.twilio;
    if !twilio.api_url.tls {
        assert!(is_loopback(&twilio.api_url.host));
        assert!(twilio.proxy.iter().all(|proxy| is_loopback(&proxy.host)));
    }
    if let Some(redis) = &settings.ledger.redis {
        assert!(redis.tls || redis.hosts.iter().all(|(host, _)| is_loopback(host)));
        assert!(redis.key.reveal().len() >= 32);
    }
    if settings.policy.subject == Subject::Caller {
        assert_eq!(settings.password.source, Source::Stack);
    }
}

/// `Debug` shows no secret. This can be checked only if the mark is nowhere else.
fn check_debug(settings: &Settings, text: &str) {
    let shown = format!("{settings:?}");
    let mut secrets = vec![&settings.twilio.auth_secret];
    secrets.extend(settings.ldap.bind.iter().map(|(_, secret)| secret));
    let in_text = secrets.iter().filter(|secret| {
        let secret = secret.reveal();
        secret.contains(MARK) && secret != FROM_FILE
    });
    if text.matches(MARK).count() == in_text.count() {
        assert!(!shown.contains(MARK), "{shown}");
    }
}

fn check_error(error: &Error, bytes: &[u8]) {
    let text = format!("{error}; {}", error.remedy());
    assert!(text.starts_with(FILE), "{text}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(
        error.line.is_none_or(|line| (1..=lines).contains(&line)),
        "{text}"
    );
    // The name of a service is repeated, and the path of a file that was read: both exist on this host.
    let is_repeated = match &error.fault {
        Fault::CallerWithoutStack { service } => service.contains(MARK),
        Fault::Content { path, .. } => path.contains(MARK),
        _ => error.key.starts_with("service.") && error.key.contains(MARK),
    };
    assert!(is_repeated || !text.contains(MARK), "{text}");
}
