//! A real sshd with the shipped stacks, with the `AuthenticationMethods` of each stack and without: sshd does
//! not ask PAM about keys, so each stack requires this line.

use super::documents;
use crate::logins::steps::{LOCAL, PASSWORD, Service, TestUser};
use lab::Lab;
use lab::pty::{Pty, TIMEOUT};
use lab::sshd::{Key, Options, Sshd};
use lab::twilio::wrong_code;

/// What the client has, and the result in the format of the other table: granted (`+`, or `!` with less than
/// two factors) or refused (`-`), the number of SMS and of factors.
struct Visit {
    key: Key,
    password: bool,
    code: bool,
    expected: &'static str,
}

const fn visit(key: Key, password: bool, code: bool, expected: &'static str) -> Visit {
    Visit {
        key,
        password,
        code,
        expected,
    }
}

const KEY_CODE: fn(&'static str) -> Visit = |expected| visit(Key::Right, false, true, expected);
const KEY: fn(&'static str) -> Visit = |expected| visit(Key::Right, false, false, expected);
const PASSWORD_CODE: fn(&'static str) -> Visit = |expected| visit(Key::None, true, true, expected);
const ONLY_PASSWORD: fn(&'static str) -> Visit = |expected| visit(Key::None, true, false, expected);
const ONLY_PHONE: fn(&'static str) -> Visit = |expected| visit(Key::None, false, true, expected);

struct Row {
    stack: &'static str,
    /// With the `AuthenticationMethods` of the stack, otherwise without, which is the default of sshd.
    named: bool,
    visits: Vec<Visit>,
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let row = |stack, named, visits| Row { stack, named, visits };
    vec![
        row("sshd-key", true, vec![KEY_CODE("+12"), KEY("-11"), PASSWORD_CODE("-00")]),
        row("sshd-auto", true, vec![KEY_CODE("+12"), KEY("-11"), PASSWORD_CODE("+12"), ONLY_PHONE("-00")]),
        row("sshd-ldap", true, vec![KEY_CODE("-00"), PASSWORD_CODE("+12"), ONLY_PASSWORD("-11")]),
        row("sshd-stack", true, vec![KEY_CODE("-00"), PASSWORD_CODE("+12"), ONLY_PASSWORD("-11")]),
        // The documents warn of this: the key alone is enough. Without a key all is as above.
        row("sshd-key", false, vec![KEY("!01"), PASSWORD_CODE("-00")]),
        row("sshd-auto", false, vec![KEY("!01"), PASSWORD_CODE("+12"), ONLY_PHONE("-00")]),
        row("sshd-ldap", false, vec![KEY("!01"), ONLY_PASSWORD("-11")]),
        row("sshd-stack", false, vec![KEY("!01"), ONLY_PHONE("-00")]),
    ]
}

pub fn sshd_does_not_ask_pam_about_keys(lab: &Lab) {
    std::thread::scope(|scope| {
        for (index, row) in rows().into_iter().enumerate() {
            scope.spawn(move || try_row(lab, index, &row));
        }
    });
}

fn try_row(lab: &Lab, index: usize, row: &Row) {
    let methods = if row.named {
        named(row.stack)
    } else {
        "any".to_owned()
    };
    let _stack = Service::shipped(lab, row.stack);
    let sshd = Sshd::start(&Options {
        service: row.stack.to_owned(),
        methods: methods.clone(),
        ..Options::default()
    });
    for (nth, visit) in row.visits.iter().enumerate() {
        let who = TestUser::with_local_password(lab, &format!("methods-{index}-{nth}"));
        let seen = try_visit(lab, &sshd, row, visit, &who);
        let Row { stack, named, .. } = row;
        let what = format!("{stack} with {methods:?}, visit {nth}");
        assert_eq!(seen, visit.expected, "{what}");
        assert!(!named || !seen.starts_with('!'), "{what}");
    }
}

/// The `AuthenticationMethods` in the comment of the stack.
fn named(stack: &str) -> String {
    let text = documents::read(&format!("pam.d/{stack}"));
    let line = text.lines().find_map(|line| {
        let (_, methods) = line.split_once(" AuthenticationMethods ")?;
        line.starts_with('#').then(|| methods.trim().to_owned())
    });
    line.unwrap_or_else(|| panic!("pam.d/{stack} names no AuthenticationMethods"))
}

/// Makes one visit: answers each prompt, and returns the result.
fn try_visit(lab: &Lab, sshd: &Sshd, row: &Row, visit: &Visit, who: &TestUser) -> String {
    let right = if row.stack == "sshd-stack" {
        LOCAL
    } else {
        PASSWORD
    };
    let mut terminal: Pty = sshd.login(who.name(), visit.key);
    let welcome = format!("WELCOME {}", who.name());
    // After the refusal ssh may prompt for a password that the server does not accept.
    let ends = [
        "Password: ",
        "Verification code: ",
        &welcome,
        "Permission denied",
        "'s password: ",
    ];
    let (mut typed, mut code) = ((false, false), None);
    let is_in = loop {
        match terminal.expect_one_of(&ends, TIMEOUT).0 {
            0 => {
                typed.0 |= visit.password;
                terminal.type_line(if visit.password { right } else { "wrong horse" });
            }
            1 => {
                let code = code.get_or_insert_with(|| who.code(lab));
                typed.1 |= visit.code;
                terminal.type_line(&if visit.code {
                    code.clone()
                } else {
                    wrong_code(code)
                });
            }
            2 => break true,
            3 => break false,
            _ => terminal.type_line("wrong horse"),
        }
    };
    assert_eq!(terminal.wait().success(), is_in);
    let logged = lab.machine().log().lines_for(who.name());
    let log = |event: &str| {
        let begins = |message: &str| message.starts_with("pam_sms_otp(") && message.contains(event);
        logged.iter().filter(|line| begins(&line.message)).count()
    };
    let sms = who.sms(lab);
    assert_eq!(log("): sent "), sms, "{}: {logged:#?}", who.name());
    // The password counts only if it was prompted for, the key only if sshd verified it.
    let output = sshd.output();
    let key = ["Accepted", "Partial"]
        .iter()
        .any(|how| output.contains(&format!("{how} publickey for {} ", who.name())));
    let factors = usize::from(key) + usize::from(typed.0) + usize::from(typed.1);
    assert!(
        factors < 2 || !is_in || log("): granted ") == 1,
        "{logged:#?}"
    );
    let sign = match (is_in, factors) {
        (true, 2..) => '+',
        (true, _) => '!',
        (false, _) => '-',
    };
    format!("{sign}{sms}{factors}")
}

/// The documents contain the sshd_config line that each stack requires, and the effect of its absence.
pub fn the_documents_name_the_methods(_: &Lab) {
    let stacks = documents::read("docs/stacks.md");
    for file in documents::samples() {
        let Some(stack) = file
            .strip_prefix("pam.d/")
            .filter(|name| name.starts_with("sshd-"))
        else {
            continue;
        };
        let methods = named(stack);
        let row = format!("| `{methods}` | `{stack}`");
        assert!(stacks.contains(&row), "docs/stacks.md has no row {row}");
    }
    let words = "unless `AuthenticationMethods` requires more, a key alone is enough to log in.";
    for file in ["README.md", "docs/stacks.md"] {
        assert!(documents::prose(file).contains(words), "{file}");
    }
    let words = "AuthenticationMethods, without which a key alone is enough.";
    assert!(documents::prose("man/pam_sms_otp.8").contains(words));
}
