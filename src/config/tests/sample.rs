//! The sample settings: every key, each with its default.
#![forbid(unsafe_code)]

use super::*;

/// Lines that say something else than the default.
const OTHERS: [&str; 19] = [
    "twilio.twilio_token",
    "twilio.api_key_sid",
    "twilio.api_key_secret",
    "twilio.api_key_secret_file",
    "twilio.messaging_service_sid",
    "twilio.ca_file",
    "twilio.proxy",
    "ldap.ca_file",
    "ldap.bind_password",
    "ldap.default_region",
    "ldap.strip_domains",
    "limits.sms_total",
    "limits.allowed_prefixes",
    "ledger.redis",
    "ledger.redis_user",
    "ledger.redis_password_file",
    "ledger.ca_file",
    "ledger.key_file",
    "policy.remember",
];

/// Keys without which one says nothing, and which it excludes: put in, or taken out, with it.
struct Companions {
    with: &'static [&'static str],
    out: &'static [&'static str],
}

fn companions(key: &str) -> Companions {
    let (with, out): (&[_], &[_]) = match key {
        "twilio.twilio_token" => (&[], &["twilio.twilio_token_file"]),
        "twilio.api_key_sid" => (
            &["twilio.api_key_secret_file"],
            &["twilio.twilio_token_file"],
        ),
        "twilio.api_key_secret" | "twilio.api_key_secret_file" => {
            (&["twilio.api_key_sid"], &["twilio.twilio_token_file"])
        }
        "twilio.messaging_service_sid" => (&[], &["twilio.from_number"]),
        "ldap.bind_password" => (&[], &["ldap.bind_password_file"]),
        "ledger.path" => (&[], &[]),
        "ledger.redis_user" => (
            &[
                "ledger.redis",
                "ledger.key_file",
                "ledger.redis_password_file",
            ],
            &[],
        ),
        key if key.starts_with("ledger.") => (&["ledger.redis", "ledger.key_file"], &[]),
        _ => (&[], &[]),
    };
    Companions { with, out }
}

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/sms_otp.toml");
    std::fs::read_to_string(path).unwrap()
}

/// `key = value`, if a line is one that was commented out.
fn commented(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ")?;
    let (key, _) = line.split_once(" = ")?;
    let is_key = |byte: u8| byte.is_ascii_lowercase() || b"_.".contains(&byte);
    key.bytes().all(is_key).then_some(line)
}

/// Each line, and the whole name of the key that stands in it, commented out or not.
fn lines(text: &str) -> Vec<(Option<String>, &str)> {
    let mut section = String::new();
    let named = text.lines().map(|line| {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
        }
        let active = Some(line).filter(|line| !line.starts_with('#'));
        let key = commented(line)
            .or(active)
            .and_then(|line| line.split_once(" = "));
        (key.map(|(key, _)| format!("{section}{key}")), line)
    });
    named.collect()
}

/// The sample with one of its commented lines, if any, and with a key's companions.
fn edited(sample: &[(Option<String>, &str)], chosen: Option<usize>, beside: &Companions) -> String {
    let is = |names: &[&str], name: &Option<String>| {
        name.as_deref().is_some_and(|name| names.contains(&name))
    };
    let edited = sample.iter().enumerate();
    let edited = edited.filter_map(|(at, (name, line))| match commented(line) {
        Some(line) if chosen == Some(at) || is(beside.with, name) => Some(line),
        _ => (!is(beside.out, name)).then_some(*line),
    });
    edited.collect::<Vec<_>>().join("\n")
}

fn settings(text: &str, service: &str) -> Result<Settings, Error> {
    load(&Memory::with(text, 0o600), FILE, service, None)
}

#[test]
fn holds_every_key_that_works_and_no_other() {
    let text = text();
    let mut found: BTreeSet<_> = lines(&text)
        .into_iter()
        .filter_map(|(name, _)| name)
        .collect();
    found.retain(|key| !key.starts_with("service."));
    let known: BTreeSet<_> = keys()
        .filter(|(_, _, part)| *part == Part::Now)
        .map(|(key, _, _)| key.to_owned())
        .collect();
    assert_eq!(found, known);
}

#[test]
fn works_as_it_is() {
    let sshd = settings(&text(), "sshd").unwrap();
    assert_eq!(sshd.password.source, Source::Ldap);
    for service in ["su", "su-l"] {
        let su = settings(&text(), service).unwrap();
        assert_eq!(su.password.source, Source::Stack);
        assert_eq!(su.policy.subject, super::super::Subject::Caller);
    }
}

/// With each of its commented lines in turn; those that are not alternatives change nothing.
#[test]
fn works_with_each_line_that_is_commented_out() {
    let text = text();
    let sample = lines(&text);
    let mut count = 0;
    for (at, (name, line)) in sample.iter().enumerate() {
        let Some(name) = name.as_deref().filter(|_| commented(line).is_some()) else {
            continue;
        };
        if name == "ldap.default_region" && Region::named("US").is_none() {
            continue;
        }
        let beside = companions(name);
        let read = |chosen| {
            let settings = settings(&edited(&sample, chosen, &beside), "sshd");
            let settings = settings.map_err(|error| error.to_string());
            format!("{:?}", settings.expect(name))
        };
        let with = read(Some(at));
        if !OTHERS.contains(&name) {
            assert_eq!(with, read(None), "{name}: not the default");
        }
        count += 1;
    }
    assert!(count > 45, "{count}");
}
