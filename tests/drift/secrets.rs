//! Types that contain secrets do not print them, and all such types are listed.

use super::{code, product};
use crate::Case;
use lab::Lab;
use sms_otp::net::http::Post;
use sms_otp::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "drift::secrets::every_type_with_a_secret_is_listed",
        every_type_with_a_secret_is_listed,
    ),
    (
        "drift::secrets::types_with_secrets_print_nothing",
        types_with_secrets_print_nothing,
    ),
    (
        "drift::secrets::definitions_are_parsed",
        definitions_are_parsed,
    ),
];

/// Types of fields with a secret. `text` is what the user typed, in a message.
const MADE_OF: &[&str] = &["Secret", ": Token,", "Zeroizing<", "text: &'a [u8]"];

/// How `Debug` prints a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    /// There is no `Debug`.
    Nothing,
    /// By the `Debug` of its fields, whose secrets are all of type [`Secret`], which prints its name.
    Parts,
    /// By its own implementation, which [`types_with_secrets_print_nothing`] checks or which has no such field.
    Own,
}

use Shows::{Nothing, Own, Parts};

/// Every type that contains a secret, and its file.
const HOLDERS: &[(&str, &str, Shows)] = &[
    ("src/secret.rs", "Secret", Own),
    ("src/code.rs", "Code", Nothing),
    ("src/code/input.rs", "TypedCode", Nothing),
    ("src/config.rs", "Redis", Parts),
    ("src/config/resolve.rs", "SecretSource", Nothing),
    ("src/config/table/global.rs", "Twilio", Parts),
    ("src/config/table/global.rs", "TwilioKeys", Nothing),
    ("src/config/table/global.rs", "Ldap", Parts),
    ("src/config/table/global.rs", "LdapKeys", Nothing),
    ("src/config/trust.rs", "Content", Nothing),
    ("src/login/services.rs", "PromptReply", Nothing),
    ("src/net/http/exchange.rs", "Post", Parts),
    ("src/net/http/exchange.rs", "Response", Own),
    ("src/net/http/exchange.rs", "OpenTransport", Own),
    ("src/net/http/buffers.rs", "WipedBuffers", Nothing),
    ("src/sms/twilio.rs", "Twilio", Parts),
    ("protocol/src/lib.rs", "Answer", Own),
];

/// A type, as a file defines it.
#[derive(Debug)]
struct Definition {
    name: String,
    derives: BTreeSet<String>,
    body: String,
}

/// The structs and enums of a file, and those that `section!` makes of a section of the settings.
fn definitions(text: &str) -> Vec<Definition> {
    let text = code(text);
    let mut found = Vec::new();
    let mut derives = BTreeSet::new();
    let mut rest = text.as_str();
    while let Some((line, behind)) = rest.split_once('\n') {
        let trimmed = line.trim_start();
        if let Some(list) = trimmed.strip_prefix("#[derive(") {
            let list = list.split(')').next().unwrap_or_default();
            derives.extend(list.split(',').map(|name| name.trim().to_owned()));
        } else if trimmed == "section! {" {
            found.extend(section(&rest[..end_of(rest)]));
        } else if let Some(start) = named(trimmed) {
            let end = end_of(rest);
            found.push(Definition {
                name: start,
                derives: std::mem::take(&mut derives),
                body: rest[..end].to_owned(),
            });
        } else if !trimmed.starts_with("#[") && !trimmed.is_empty() {
            derives.clear();
        }
        rest = behind;
    }
    found
}

/// The two structs of a section of the settings (`src/config/table.rs`): what the file sets, without
/// `Debug`, and the public one with it. Its other fields are never secrets: they have one of the types of
/// the rows, which belong to the first struct.
fn section(text: &str) -> [Definition; 2] {
    let (head, rest) = text.split_once("=>").expect("a section");
    let keys = head.rsplit(": ").next().expect("its keys").trim();
    let (attributes, public) = rest.split_once('{').expect("its fields");
    let (public, _) = public.split_once('}').expect("its fields");
    let name = attributes.split_whitespace().next_back().expect("its name");
    [
        Definition {
            name: keys.to_owned(),
            derives: BTreeSet::new(),
            body: text.to_owned(),
        },
        Definition {
            name: name.to_owned(),
            derives: BTreeSet::from(["Debug".to_owned()]),
            body: format!("{{{public}"),
        },
    ]
}

/// The name behind `struct` or `enum`.
fn named(line: &str) -> Option<String> {
    let line = line.strip_prefix("pub").map_or(line, |rest| {
        let rest = rest.trim_start();
        rest.strip_prefix('(')
            .and_then(|rest| rest.split_once(") "))
            .map_or(rest, |(_, rest)| rest)
    });
    let rest = line
        .strip_prefix("struct ")
        .or(line.strip_prefix("enum "))?;
    Some(rest.chars().take_while(|c| c.is_alphanumeric()).collect())
}

/// Where a definition ends: at its semicolon, or its brace.
fn end_of(text: &str) -> usize {
    let mut depth = 0_u32;
    for (at, c) in text.char_indices() {
        match c {
            '{' | '(' => depth += 1,
            '}' if depth == 1 => return at,
            '}' | ')' => depth -= 1,
            ';' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

fn definitions_are_parsed(_: &Lab) {
    let text = "#[derive(Debug, Clone)]\n#[must_use]\npub struct A(Secret);\nfn x() {}\n\
                /// x\npub(super) enum B<'a> {\n    C { words: &'a [u8] },\n    D,\n}\nstruct E;\n\
                section! {\n    global f \"f.\": FKeys =>\n    #[derive(Clone)]\n    F { f: Secret, }\n    \
                resolved { g: Secret; }\n}\n";
    let read = definitions(text);
    let names: Vec<&str> = read.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["A", "B", "E", "FKeys", "F"]);
    assert!(read[0].derives.contains("Debug") && read[0].body.contains("Secret"));
    assert!(read[1].derives.is_empty() && read[1].body.contains("words: &"));
    assert!(!read[2].body.contains("words"));
    assert!(read[3].derives.is_empty() && read[3].body.contains("g: Secret"));
    assert!(read[4].derives.contains("Debug") && read[4].body.contains("f: Secret"));
}

fn every_type_with_a_secret_is_listed(_: &Lab) {
    let mut found = BTreeMap::new();
    for folder in ["src", "module/src", "protocol/src", "safe-path/src"] {
        for (path, text) in product(folder) {
            for one in definitions(&text) {
                let own = (&*path, &*one.name) == ("src/secret.rs", "Secret");
                let fields = one.body.split_once(['{', '(']).map_or("", |(_, body)| body);
                let holds = |part: &str| {
                    fields.match_indices(part).any(|(at, _)| {
                        let behind = fields[at + part.len()..].chars().next();
                        // `Role::Secret` and `SecretBytes` are something else.
                        let whole = part != "Secret" || behind.is_some_and(|c| ">),".contains(c));
                        // On a line of its own it is a variant's name.
                        let line = fields[..at].rsplit('\n').next().unwrap_or_default();
                        let variant = part == "Secret" && line.trim().is_empty();
                        whole && !variant
                    })
                };
                if !own && !MADE_OF.iter().any(|part| holds(part)) {
                    continue;
                }
                let by_hand = text.lines().any(|line| {
                    line.contains("Debug for ")
                        && line.split("Debug for ").nth(1).is_some_and(|of| {
                            let name: String =
                                of.chars().take_while(|c| c.is_alphanumeric()).collect();
                            name == one.name
                        })
                });
                let shows = match (one.derives.contains("Debug"), by_hand) {
                    (true, _) => Parts,
                    (false, true) => Own,
                    (false, false) => Nothing,
                };
                // What derives it prints what it holds, and only `Secret` keeps still.
                if shows == Parts {
                    let still =
                        !fields.contains("Zeroizing<") && !fields.contains("text: &'a [u8]");
                    assert!(still, "{path}: {} derives Debug", one.name);
                }
                found.insert((path.clone(), one.name), shows);
            }
        }
    }
    let known: BTreeMap<_, _> = HOLDERS
        .iter()
        .map(|(path, name, shows)| (((*path).to_owned(), (*name).to_owned()), *shows))
        .collect();
    assert_eq!(
        found, known,
        "a type that holds a secret is new, gone or changed"
    );
}

const MARK: &str = "obviouslyFakeSecret";

/// Returns settings in which every secret contains [`MARK`].
fn settings(config: &Path, redis: &str, key: &str) -> sms_otp::config::Settings {
    let settings = lab::settings::Settings::default()
        .text("twilio.twilio_sid", "AC00c0ffee00c0ffee00c0ffee00c0ffee")
        .text("twilio.twilio_token", MARK)
        .text("twilio.from_number", "+12025550199")
        .set("ldap.uris", "[\"ldap://127.0.0.1:1\"]")
        .text("ldap.bind_dn", "cn=pam,dc=example,dc=org")
        .text("ldap.bind_password", MARK)
        .text("ldap.base", "dc=example,dc=org")
        .text("ledger.redis", "redis://127.0.0.1:1")
        .text("ledger.redis_password_file", redis)
        .text("ledger.key_file", key);
    settings.write(config);
    let config = config.to_str().expect("a path");
    let settings = sms_otp::config::load(&sms_otp::config::Disk, config, "sshd", None);
    settings.unwrap_or_else(|error| panic!("{error}"))
}

fn types_with_secrets_print_nothing(lab: &Lab) {
    let secret = || Secret::new(MARK.to_owned());
    let folder = lab.folder("drift-secrets");
    let file = |name: &str| {
        let path = folder.join(name);
        lab::scratch::write(
            &path,
            0o600,
            format!("{MARK}-0123456789-0123456789-0123456789"),
        );
        path.display().to_string()
    };
    let config = folder.join("sms_otp.toml");
    let settings = settings(&config, &file("redis"), &file("key"));
    let (authorization, form) = (secret(), secret());
    let words = MARK.as_bytes();
    let asked = true;
    let shown = [
        format!("{:?}", secret()),
        format!("{settings:?}"),
        format!("{:?}", settings.ldap),
        format!("{:?}", settings.twilio),
        format!("{:?}", sms_otp::sms::twilio::Twilio::new(&settings.twilio)),
        format!(
            "{:?}",
            Post {
                path: "/",
                authorization: &authorization,
                form: &form
            }
        ),
        format!(
            "{:?}",
            protocol::Answer::Text {
                prompted: asked,
                text: words
            }
        ),
        format!("{:#?}", (secret(), Some(secret()), Duration::ZERO)),
    ];
    // The token is sent in base64.
    for shown in &shown {
        assert!(!shown.contains(MARK), "{shown}");
        assert!(
            !shown.contains("b2J2aW91c2x5") && !shown.contains("111, 98, 118"),
            "{shown}"
        );
    }
    assert!(shown[1].contains("key: Secret"), "{}", shown[1]);
}
