//! The settings, what they name, and who is asked for by policy.

use super::ground::{Ground, row};
use super::ledger::{fifo, fresh};
use super::{LOCAL, Row};
use crate::module::{Say, Seen};
use lab::scratch::{set_mode, write};
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

const IN: [Say; 2] = [Say::Password, Say::Code];

/// Puts something where the settings should be; the second is what a good file holds.
type Spoil = fn(&Path, &str);

const FILES: &[(&str, Spoil)] = &[
    ("missing", |_, _| {}),
    ("a folder", |path, _| {
        std::fs::create_dir(path).expect("a folder");
    }),
    ("a pipe that nobody writes", |path, _| fifo(path)),
    ("an endless device", |path, _| link("/dev/zero", path)),
    ("a link to itself", |path, _| {
        symlink(path, path).expect("a link");
    }),
    ("a link to nowhere", |path, _| {
        link("/nowhere/sms_otp.toml", path);
    }),
    ("empty", |path, _| write(path, 0o600, "")),
    ("garbage", |path, _| {
        write(path, 0o600, b"\x00\xff\x1b]0;x\x07 = \xfe");
    }),
    ("truncated", |path, good| {
        write(path, 0o600, &good[..good.len() / 2]);
    }),
    ("oversized", |path, good| {
        write(path, 0o600, good);
        let file = std::fs::OpenOptions::new().write(true).open(path);
        file.and_then(|file| file.set_len(1 << 30)).expect("a hole");
    }),
    ("nested deeply", |path, good| {
        write(path, 0o600, format!("x = {}\n{good}", "[".repeat(100_000)));
    }),
    ("for all to write", |path, good| {
        write(path, 0o600, good);
        set_mode(path, 0o666);
    }),
    ("somebody else's", |path, good| {
        write(path, 0o600, good);
        chown(path, Some(4711), Some(4711)).expect("root may chown");
    }),
    ("a key that is none", |path, good| {
        write(path, 0o600, format!("{good}twilio.more = 1\n"));
    }),
    ("absurd values", |path, good| {
        write(path, 0o600, format!("{good}deadline = \"99999d\"\n"));
    }),
];

/// Files that the settings name, an authority's or a secret's, and what the secret stands in place of.
const NAMED: &[(&str, &str)] = &[
    ("ldap.ca_file", ""),
    ("twilio.ca_file", ""),
    ("ldap.bind_password_file", "ldap.bind_password"),
    ("twilio.twilio_token_file", "twilio.twilio_token"),
];

pub fn rows<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    let mut rows = Vec::new();
    let line = "failed user=? stage=settings reason=bad-settings";
    let bad = Seen::new(&[LOCAL], &[], &[line], 0);
    for (what, spoil) in FILES {
        rows.push(row("settings", *what, &IN, &bad, move |login| {
            let path = fresh(&login);
            spoil(&path, &login.settings.toml());
            let line = ground.bench.product().line(&path);
            login.line(line).into()
        }));
    }
    for (key, instead_of) in NAMED {
        for (what, spoil) in FILES.iter().take(6) {
            rows.push(row(
                "settings",
                format!("{key}: {what}"),
                &IN,
                &bad,
                move |login| {
                    let path = fresh(&login);
                    spoil(&path, "");
                    login
                        .change(|settings| settings.without(instead_of))
                        .text(key, path.to_str().expect("a path"))
                        .into()
                },
            ));
        }
    }
    rows.push(policy());
    rows
}

/// A look-up that fails is not one that finds nobody. The first that is made is that of the helper's own
/// user.
fn policy<'b>() -> Row<'b> {
    let line = "failed user=? stage=helper reason=local";
    let want = Seen::new(&[LOCAL], &[], &[line], 0);
    let row = row("policy", "no look-up of names", &IN, &want, |login| {
        let path = fresh(&login);
        // A socket's file cannot be opened (ENXIO).
        std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        login
            .host(|host| host.with_over(&[(&path, "/etc/passwd")]))
            .into()
    });
    Row {
        is_nameless: true,
        ..row
    }
}

fn link(to: &str, path: &Path) {
    symlink(to, path).expect("a link");
}
