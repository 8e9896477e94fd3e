//! The arguments of the PAM line, and the files that they name.

use super::login::{Login, Say, Seen, copy_program, someone};
use crate::Case;
use lab::Lab;
use lab::pamhost::code;
use lab::scratch::{set_mode, write};
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

pub const CASES: &[Case] = &[
    (
        "module::arguments::an_unknown_argument_refuses",
        an_unknown_argument_refuses,
    ),
    (
        "module::arguments::settings_that_others_could_write_are_refused",
        settings_that_others_could_write_are_refused,
    ),
    (
        "module::arguments::invalid_settings_are_refused",
        invalid_settings_are_refused,
    ),
    (
        "module::arguments::a_helper_that_others_could_write_is_refused",
        a_helper_that_others_could_write_is_refused,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];

fn settings() -> Seen {
    let line = "failed user=? stage=settings reason=bad-settings";
    Seen::at_once(code::SERVICE_ERR, line)
}

fn helper() -> Seen {
    let line = "failed user=? stage=helper reason=helper";
    Seen::at_once(code::SERVICE_ERR, line)
}

fn an_unknown_argument_refuses(lab: &Lab) {
    let ada = someone(lab, "argument-ada");
    let line = "failed user=? stage=helper reason=bad-settings";
    let refused = Seen::at_once(code::SERVICE_ERR, line);
    for argument in [
        "Debug",
        "nullok",
        "password=",
        "password=none",
        "password=LDAP",
        "config=sms_otp.toml",
        "config=",
        "helper=./helper",
        "helper=",
        "try_first_pas",
        "debug=1",
        "[debug use_first_pass]",
        "\u{1b}[2J",
    ] {
        let login = Login::new(lab, "argument")
            .of(&ada)
            .arguments(argument)
            .rhost("192.0.2.9");
        login.sees(argument, &IN, &refused);
    }
}

/// A change to a file, and the expected outcome of the login.
type Change<'a> = (&'a str, &'a dyn Fn(&Path), Seen);

fn settings_that_others_could_write_are_refused(lab: &Lab) {
    let bob = someone(lab, "config-bob");
    let login = Login::new(lab, "config").of(&bob);
    let good = login.folder.join("good.toml");
    let root = lab.machine_error().is_none();
    let changes: &[Change] = &[
        ("0600", &|_| {}, Seen::granted()),
        (
            "0644 with secrets",
            &|path| set_mode(path, 0o644),
            settings(),
        ),
        ("0660", &|path| set_mode(path, 0o660), settings()),
        ("0602", &|path| set_mode(path, 0o602), settings()),
        ("missing", &|path| remove(path), settings()),
        (
            "a directory",
            &|path| {
                remove(path);
                std::fs::create_dir(path).unwrap();
            },
            settings(),
        ),
        (
            "a link to a valid file",
            &|path| {
                let other = path.with_extension("other");
                std::fs::rename(path, &other).unwrap();
                symlink(other, path).unwrap();
            },
            Seen::granted(),
        ),
        (
            "a link to itself",
            &|path| {
                remove(path);
                symlink(path, path).unwrap();
            },
            settings(),
        ),
        ("empty", &|path| write(path, 0o600, ""), settings()),
        (
            "2 MB",
            &|path| write(path, 0o600, vec![b'#'; 2 << 20]),
            settings(),
        ),
        (
            "not UTF-8",
            &|path| write(path, 0o600, b"\xff\xfe"),
            settings(),
        ),
    ];
    let line = lab.product().line(&good);
    let login = login.line(line);
    let fresh = || {
        remove(&good);
        remove(&good.with_extension("other"));
        login.settings.write(&good);
    };
    for (what, change, expected) in changes {
        fresh();
        change(&good);
        login.sees(what, &IN, expected);
    }
    if root {
        fresh();
        chown(&good, Some(20_999), None).expect("root may chown");
        login.sees("another user's", &IN, &settings());
        fresh();
        chown(&login.folder, Some(20_999), None).expect("root may chown");
        login.sees("in another user's directory", &IN, &settings());
        chown(&login.folder, Some(0), None).expect("root may chown");
    }
    fresh();
    set_mode(&login.folder, 0o777);
    login.sees("in a directory that others can write to", &IN, &settings());
    set_mode(&login.folder, 0o755);
    login.sees("valid again", &IN, &Seen::granted());
}

fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
    let _ = std::fs::remove_dir(path);
}

fn invalid_settings_are_refused(lab: &Lab) {
    let cat = someone(lab, "wrong-cat");
    for (key, value) in [
        ("code.digit", "6"),
        ("code.digits", "4"),
        ("code.digits", "\"6\""),
        ("code.lifetime", "\"1h\""),
        ("deadline", "\"0s\""),
        ("password.source", "\"none\""),
        ("policy.subject", "\"caller\""),
        ("policy.remember", "\"31d\""),
        ("limits.sms", "[\"0/15m\"]"),
        ("ledger.path", "\"var/lib/pam_sms_otp\""),
        ("policy.groups", "[\"*\"]"),
        ("twilio.preconnect", "\"yes\""),
        ("policy.outage", "\"skip\""),
        ("ldap.uris", "[\"ldap://192.0.2.1\"]"),
        ("ldap.filter", "\"(uid=*)\""),
        ("twilio.api_url", "\"http://192.0.2.1\""),
        ("messages.sms", "\"no code in it\""),
        ("messages.sent", "\"two\\nlines\""),
        ("service.wrong.twilio.timeout", "\"1s\""),
    ] {
        let login = Login::new(lab, "wrong").of(&cat).set(key, value);
        login.sees(&format!("{key} = {value}"), &IN, &settings());
    }
    // The line names file, line, key and what is allowed.
    if lab.machine_error().is_none() {
        let log = lab.machine().log();
        let line = log.wait_for(
            &["pam_sms_otp(wrong:auth)", "code.digit", "sms_otp.toml"],
            std::time::Duration::from_secs(1),
        );
        assert!(line.message.contains("code.digits"), "{}", line.raw);
    }
    // A section of another service has no effect.
    let login = Login::new(lab, "wrong")
        .of(&cat)
        .text("service.other.password.source", "stack");
    login.sees("another service", &IN, &Seen::granted());
}

fn a_helper_that_others_could_write_is_refused(lab: &Lab) {
    let dee = someone(lab, "helper-dee");
    let login = Login::new(lab, "helper").of(&dee).own_helper();
    let copy = login.helper();
    let changes: &[Change] = &[
        ("0755", &|_| {}, Seen::granted()),
        ("0775", &|path| set_mode(path, 0o775), helper()),
        ("0757", &|path| set_mode(path, 0o757), helper()),
        ("0644", &|path| set_mode(path, 0o644), helper()),
        ("missing", &|path| remove(path), helper()),
        (
            "not a program",
            &|path| write(path, 0o755, "what?"),
            helper(),
        ),
        (
            "a directory",
            &|path| {
                remove(path);
                std::fs::create_dir(path).unwrap();
            },
            helper(),
        ),
        (
            "a link to a valid file",
            &|path| {
                let other = path.with_extension("other");
                std::fs::rename(path, &other).unwrap();
                symlink(other, path).unwrap();
            },
            Seen::granted(),
        ),
    ];
    let fresh = || {
        remove(&copy);
        remove(&copy.with_extension("other"));
        copy_program(&lab.product().helper(), &copy);
    };
    for (what, change, expected) in changes {
        fresh();
        change(&copy);
        login.sees(what, &IN, expected);
    }
    if lab.machine_error().is_none() {
        fresh();
        chown(&copy, Some(20_999), None).expect("root may chown");
        login.sees("another user's", &IN, &helper());
    }
    fresh();
    set_mode(&login.folder, 0o777);
    login.sees("in a directory that others can write to", &IN, &helper());
    set_mode(&login.folder, 0o755);
    // The target of a link is checked, too, with the path to it.
    let open = login.folder.join("open");
    std::fs::create_dir(&open).expect("a directory");
    set_mode(&open, 0o777);
    std::fs::rename(&copy, open.join("helper")).expect("it moves");
    symlink(open.join("helper"), &copy).expect("a link");
    login.sees(
        "a link into a directory that others can write to",
        &IN,
        &helper(),
    );
    remove(&copy);
    symlink(&open, login.folder.join("by")).expect("a link");
    let by = login.folder.join("by/helper");
    let line = lab.product().line_with(&login.config(), &by);
    login
        .line(line)
        .sees("through such a directory", &IN, &helper());
}
