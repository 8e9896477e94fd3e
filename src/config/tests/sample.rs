//! The sample file: it is accepted as it is, and with each line that is commented out.
#![forbid(unsafe_code)]

use super::{super::table::Sample, *};

/// Keys that another key requires, and keys that it conflicts with.
struct Companions {
    required: &'static [&'static str],
    conflicting: &'static [&'static str],
}

fn companions(key: &str) -> Companions {
    let (required, conflicting): (&[_], &[_]) = match key {
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
    Companions {
        required,
        conflicting,
    }
}

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/sms_otp.toml");
    std::fs::read_to_string(path).unwrap()
}

/// Returns `key = value`, if a line is a key that is commented out.
fn commented(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ")?;
    let (key, _) = line.split_once(" = ")?;
    let is_key = |byte: u8| byte.is_ascii_lowercase() || b"_.".contains(&byte);
    key.bytes().all(is_key).then_some(line)
}

/// Returns each line, with the full path of its key, commented out or not.
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

/// Returns the sample with one of its commented lines, if any, and with the companions of its key.
fn edited(
    sample: &[(Option<String>, &str)],
    chosen: Option<usize>,
    companions: &Companions,
) -> String {
    let is = |names: &[&str], name: &Option<String>| {
        name.as_deref().is_some_and(|name| names.contains(&name))
    };
    let edited = sample.iter().enumerate();
    let edited = edited.filter_map(|(at, (name, line))| match commented(line) {
        Some(line) if chosen == Some(at) || is(companions.required, name) => Some(line),
        _ => (!is(companions.conflicting, name)).then_some(*line),
    });
    edited.collect::<Vec<_>>().join("\n")
}

fn settings(text: &str, service: &str) -> Result<Settings, Error> {
    load(&Memory::with(text, 0o600), FILE, service, None)
}

#[test]
fn it_is_accepted_as_it_is() {
    let sshd = settings(&text(), "sshd").unwrap();
    assert_eq!(sshd.password.source, Source::Ldap);
    for service in ["su", "su-l"] {
        let su = settings(&text(), service).unwrap();
        assert_eq!(su.password.source, Source::Stack);
        assert_eq!(su.policy.subject, super::super::Subject::Caller);
    }
}

/// A line that shows the default changes nothing.
#[test]
fn each_commented_line_is_accepted() {
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
        let companions = companions(name);
        let read = |chosen| {
            let settings = settings(&edited(&sample, chosen, &companions), "sshd");
            let settings = settings.map_err(|error| error.to_string());
            format!("{:?}", settings.expect(name))
        };
        let with = read(Some(at));
        let row = table::find(name);
        if row.is_none_or(|row| matches!(row.sample, Sample::Default)) {
            assert_eq!(with, read(None), "{name}: not the default");
        }
        count += 1;
    }
    assert!(count > 45, "{count}");
}
