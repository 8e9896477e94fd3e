//! Broken settings files, broken files that they name, and failed look-ups of names.

use super::ground::{Ground, row};
use super::ledger::{fifo, fresh};
use super::{LOCAL, Row};
use crate::module::{Say, Seen};
use lab::scratch::{set_mode, write};
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

const IN: [Say; 2] = [Say::Password, Say::Code];

/// Creates a broken settings file; the second argument is the text of a valid one.
type Break = fn(&Path, &str);

const FILES: &[(&str, Break)] = &[
    ("missing", |_, _| {}),
    ("a directory", |path, _| {
        std::fs::create_dir(path).expect("a directory");
    }),
    ("a pipe without a writer", |path, _| fifo(path)),
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
    ("truncated", |path, valid| {
        write(path, 0o600, &valid[..valid.len() / 2]);
    }),
    ("oversized", |path, valid| {
        write(path, 0o600, valid);
        let file = std::fs::OpenOptions::new().write(true).open(path);
        file.and_then(|file| file.set_len(1 << 30)).expect("a hole");
    }),
    ("nested deeply", |path, valid| {
        write(path, 0o600, format!("x = {}\n{valid}", "[".repeat(100_000)));
    }),
    ("writable by others", |path, valid| {
        write(path, 0o600, valid);
        set_mode(path, 0o666);
    }),
    ("another user's", |path, valid| {
        write(path, 0o600, valid);
        chown(path, Some(4711), Some(4711)).expect("root may chown");
    }),
    ("an unknown key", |path, valid| {
        write(path, 0o600, format!("{valid}twilio.more = 1\n"));
    }),
    ("absurd values", |path, valid| {
        write(path, 0o600, format!("{valid}deadline = \"99999d\"\n"));
    }),
];

/// Files that the settings name, and the key that the file replaces.
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
    for (what, make) in FILES {
        rows.push(row("settings", *what, &IN, &bad, move |login| {
            let path = fresh(&login);
            make(&path, &login.settings.toml());
            let line = ground.lab.product().line(&path);
            login.line(line).into()
        }));
    }
    for (key, replaced) in NAMED {
        for (what, make) in FILES.iter().take(6) {
            rows.push(row(
                "settings",
                format!("{key}: {what}"),
                &IN,
                &bad,
                move |login| {
                    let path = fresh(&login);
                    make(&path, "");
                    login
                        .change(|settings| settings.without(replaced))
                        .text(key, path.to_str().expect("a path"))
                        .into()
                },
            ));
        }
    }
    rows.push(policy());
    rows
}

/// A failed look-up does not mean that there is no such name. The first look-up is that of the helper's own
/// user.
fn policy<'b>() -> Row<'b> {
    let line = "failed user=? stage=helper reason=local";
    let want = Seen::new(&[LOCAL], &[], &[line], 0);
    let row = row("policy", "no look-up of names", &IN, &want, |login| {
        let path = fresh(&login);
        // A socket's file cannot be opened (ENXIO).
        std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        login
            .host(|host| host.with_bind_mounts(&[(&path, "/etc/passwd")]))
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
