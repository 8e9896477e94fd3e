//! The password prompt: input that is not the password, and the results of the bind.

use super::login::{ASKS, GRANTED, Login, PASSWORD, PASSWORD_EXPIRED, SENT, Say, Seen, someone};
use crate::Case;
use lab::Lab;
use lab::pamhost::{SILENT, Step, code};
use lab::process::program;
use lab::slapd::LdapUser;
use std::process::Command;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "module::password::inputs_that_are_not_the_password_are_refused",
        inputs_that_are_not_the_password_are_refused,
    ),
    (
        "module::password::junk_of_sshd_is_not_searched_for",
        junk_of_sshd_is_not_searched_for,
    ),
    (
        "module::password::an_unknown_name_is_refused",
        an_unknown_name_is_refused,
    ),
    (
        "module::password::system_users_are_never_searched_for",
        system_users_are_never_searched_for,
    ),
    (
        "module::password::two_entries_are_ambiguous",
        two_entries_are_ambiguous,
    ),
    (
        "module::password::names_are_not_filters",
        names_are_not_filters,
    ),
    (
        "module::password::each_bind_result_has_its_outcome",
        each_bind_result_has_its_outcome,
    ),
    (
        "module::password::grace_logins_are_granted_and_counted",
        grace_logins_are_granted_and_counted,
    ),
    (
        "module::password::must_change_overrides_a_grace_login",
        must_change_overrides_a_grace_login,
    ),
    (
        "module::password::an_expired_password_is_refused_after_the_delay",
        an_expired_password_is_refused_after_the_delay,
    ),
    (
        "module::password::paste_brackets_are_removed",
        paste_brackets_are_removed,
    ),
    (
        "module::password::a_broken_conversation_ends_the_login",
        a_broken_conversation_ends_the_login,
    ),
];

/// Gives an account its state.
type Prepare = fn(LdapUser) -> LdapUser;

const WRONG: &str = "denied reason=wrong-password";
const RIGHT: [Say; 2] = [Say::Password, Say::Code];

fn inputs_that_are_not_the_password_are_refused(lab: &Lab) {
    let amy = someone(lab, "wrong-amy");
    let binds = || lab.slapd().binds(&amy.person.dn());
    let refused = Seen::refused(code::AUTH_ERR, WRONG);
    // What is typed, and the number of binds.
    let rows = [
        ("wrong", Say::Text("battery horse"), 1),
        ("in capitals", Say::Text("CORRECT HORSE, BATTERY"), 1),
        ("with a blank", Say::Text("correct horse, battery "), 1),
        ("empty", Say::Text(""), 0),
        ("not UTF-8", Say::Bytes(b"correct \xff horse"), 0),
        ("a NUL ends it", Say::Bytes(b"\0correct horse, battery"), 0),
        ("64 KB less one", Say::Long(65_535), 1),
        ("64 KB", Say::Long(65_536), 1),
        ("64 KB and one", Say::Long(65_537), 0),
        ("70 KB", Say::Long(70_000), 0),
        ("control characters", Say::Text("\u{1b}[2J\r\n"), 1),
        ("*", Say::Text("*"), 1),
    ];
    for (what, input, expected) in rows {
        let before = binds();
        let login = Login::new(lab, "wrong-password").of(&amy);
        login.sees(what, &[input, Say::Code], &refused);
        assert_eq!(binds() - before, expected, "{what}");
    }
    let login = Login::new(lab, "wrong-password")
        .of(&amy)
        .host(|host| host.flags(SILENT));
    login.sees("PAM_SILENT", &[Say::Text("wrong")], &refused);
}

fn junk_of_sshd_is_not_searched_for(lab: &Lab) {
    let bea = someone(lab, "junk-bea");
    let searches = || {
        let log = lab.slapd().log();
        log.lines().filter(|line| line.contains("junk-bea")).count()
    };
    let before = searches();
    let login = Login::new(lab, "junk").of(&bea);
    let refused = Seen::refused(code::AUTH_ERR, "denied user=? reason=wrong-password");
    for junk in [
        "\u{8}\n\r\u{7f}INCORRECT",
        "\u{8}\n\r\u{7f}INCORRECT\u{8}\n\r\u{7f}INC",
        "\u{8}\n\r",
        "\u{8}",
    ] {
        login.sees(junk, &[Say::Text(junk), Say::Code], &refused);
    }
    assert_eq!(searches(), before);
}

fn an_unknown_name_is_refused(lab: &Lab) {
    let unknown = Seen::refused(code::USER_UNKNOWN, "denied user=? reason=no-such-user");
    let long = "x".repeat(300);
    for name in [
        "no-such-name",
        PASSWORD,
        "*",
        "*)(uid=*",
        "unknown-\u{e9}\u{1f511}",
        "a\nb granted login=00000000",
        "\u{1b}]0;owned\u{7}",
        &long,
    ] {
        let login = Login::new(lab, "unknown").user(name).rhost("2001:db8::7");
        login.sees(name, &[Say::Password], &unknown);
        login.sees(name, &[Say::Text("")], &unknown);
    }
}

/// Returns the name of uid 65534, which no user has (systemd's and the kernel's overflow uid).
pub fn overflow_user() -> String {
    let id = Command::new(program("id")).args(["-nu", "65534"]).output();
    let name = String::from_utf8(id.expect("id").stdout).expect("a name");
    name.trim_end().to_owned()
}

fn system_users_are_never_searched_for(lab: &Lab) {
    let root = someone(lab, "root");
    let daemon = someone(lab, "daemon");
    let unknown = Seen::refused(code::USER_UNKNOWN, "denied reason=system-user");
    for own in [&root, &daemon] {
        let login = Login::new(lab, "system").of(own);
        login.sees(own.person.uid(), &[Say::Password, Say::Code], &unknown);
        assert_eq!(login.requests(), 0);
        assert_eq!(lab.slapd().binds(&own.person.dn()), 0);
        let filter = format!("(uid={})", own.person.uid());
        assert!(
            !lab.slapd().log().contains(&filter),
            "searched for {filter}"
        );
    }
    let overflow = overflow_user();
    let login = Login::new(lab, "system").user(&overflow);
    login.sees(&overflow, &[Say::Password], &unknown);
    // Users below min_uid are system users.
    if lab.machine_error().is_none() {
        let user = lab::machine::User::new("system-gil").uid(1500);
        lab.machine().add(&user);
        let gil = someone(lab, "system-gil");
        let login = |min: &str| {
            Login::new(lab, "system")
                .of(&gil)
                .set("policy.min_uid", min)
        };
        login("1500").sees("at min_uid", &RIGHT, &Seen::granted());
        login("1501").sees("below min_uid", &RIGHT, &unknown);
    }
}

fn two_entries_are_ambiguous(lab: &Lab) {
    let one = someone(lab, "twice-hal");
    // A second entry below the same base.
    lab.slapd()
        .add(&LdapUser::new("twice-hal").bind_result(0, ""));
    let login = Login::new(lab, "twice").of(&one);
    let refused = Seen::refused(code::AUTH_ERR, "denied reason=ambiguous");
    login.sees("two", &[Say::Password, Say::Code], &refused);
    assert_eq!(lab.slapd().binds(&one.person.dn()), 0);
}

fn names_are_not_filters(lab: &Lab) {
    for name in ["*)(uid=*)(cn=odd", "o'neil, (odd) \\2a", "odd \u{e9}"] {
        let odd = someone(lab, name);
        let login = Login::new(lab, "odd").of(&odd);
        let (seen, _) = login.run(&[Say::Password, Say::Code], 2);
        assert_eq!(seen.codes(), [code::SUCCESS], "{name}: {:?}", seen.texts());
        assert_eq!(login.arrived().len(), 1, "{name}");
    }
}

fn each_bind_result_has_its_outcome(lab: &Lab) {
    let expired = Seen::unsent(
        code::MAXTRIES,
        PASSWORD_EXPIRED,
        "denied first=password reason=password-expired",
    );
    let locked = Seen::refused(code::AUTH_ERR, "denied reason=directory-locked");
    let wrong = Seen::refused(code::AUTH_ERR, WRONG);
    let outage = Seen::refused(
        code::AUTHINFO_UNAVAIL,
        "failed stage=directory reason=outage",
    );
    let not_outage = Seen::refused(code::SERVICE_ERR, "failed stage=directory reason=refused");
    let ad = "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data ";
    let real: [(&str, Prepare, &Seen); 4] = [
        ("too old", LdapUser::expired, &expired),
        ("must change", LdapUser::must_change, &expired),
        ("locked", LdapUser::locked, &locked),
        ("valid", |person| person, &Seen::granted()),
    ];
    let scripted: [(u32, &str, &Seen); 18] = [
        (49, "", &wrong),
        (48, "", &wrong),
        (49, "52e, v4563", &wrong),
        (49, "525, v4563", &wrong),
        (49, "532, v4563", &expired),
        (49, "701, v4563", &locked),
        (49, "773, v4563", &expired),
        (49, "530, v4563", &locked),
        (49, "531, v4563", &locked),
        (49, "533, v4563", &locked),
        (49, "775, v4563", &locked),
        (19, "too many", &locked),
        (50, "", &locked),
        (53, "account inactivated", &locked),
        (51, "", &outage),
        (52, "", &outage),
        (3, "", &outage),
        (80, "\u{1b}[2J\nodd", &not_outage),
    ];
    let mut accounts = Vec::new();
    for (index, (what, prepare, want)) in real.into_iter().enumerate() {
        let person = LdapUser::new(&format!("word-{index}")).password(PASSWORD);
        accounts.push((what.to_owned(), prepare(person), want));
    }
    for (index, (result, text, want)) in scripted.into_iter().enumerate() {
        let active_directory = result == 49 && !text.is_empty();
        let text = if active_directory {
            format!("{ad}{text}")
        } else {
            text.to_owned()
        };
        let person = LdapUser::new(&format!("word-ad-{index}")).bind_result(result, &text);
        accounts.push((format!("{result} {text}"), person, want));
    }
    for (what, person, want) in accounts {
        let number = lab.number();
        let person = person.phone(&number);
        lab.slapd().add(&person);
        let login = Login::new(lab, "word").user(person.uid()).number(&number);
        login.sees(&what, &[Say::Password, Say::Code], want);
        assert_eq!(lab.slapd().binds(&person.dn()), 1, "{what}");
    }
}

/// Each bind uses one grace login, whatever the result of the login is.
fn grace_logins_are_granted_and_counted(lab: &Lab) {
    let number = lab.number();
    let person = LdapUser::new("grace-hopper").password(PASSWORD).grace();
    let person = person.phone(&number);
    lab.slapd().add(&person);
    let login = Login::new(lab, "grace").user(person.uid()).number(&number);
    let granted = |text| {
        let text = format!("-{text}");
        Seen::new(&[code::SUCCESS], &[ASKS, SENT, &text], GRANTED, 1)
    };
    let two = "Your password has expired; 2 more logins until you must change it.";
    login.sees("the first of three", &RIGHT, &granted(two));
    let strict = login.set("ldap.grace", "\"deny\"");
    let refused = Seen::unsent(
        code::MAXTRIES,
        PASSWORD_EXPIRED,
        "denied first=password reason=password-expired",
    );
    strict.sees("the second, denied", &RIGHT, &refused);
    let login = strict.set("ldap.grace", "\"allow\"");
    let last = "This was the last login with your expired password. Change it now.";
    login.sees("the third", &RIGHT, &granted(last));
    login.sees("none is left", &RIGHT, &refused);
    let wrong = Seen::refused(code::AUTH_ERR, WRONG);
    login.sees("a wrong one", &[Say::Text("wrong")], &wrong);
}

fn must_change_overrides_a_grace_login(lab: &Lab) {
    let number = lab.number();
    let person = LdapUser::new("grace-kelly").password(PASSWORD).grace();
    let person = person.must_change().phone(&number);
    lab.slapd().add(&person);
    let login = Login::new(lab, "reset").user(person.uid()).number(&number);
    let refused = Seen::unsent(
        code::MAXTRIES,
        PASSWORD_EXPIRED,
        "denied first=password reason=password-expired",
    );
    login.sees("two are left", &RIGHT, &refused);
}

/// It is right and refused, as late as a wrong one: its time shows nothing to an attacker.
fn an_expired_password_is_refused_after_the_delay(lab: &Lab) {
    let number = lab.number();
    let person = LdapUser::new("late-pia").password(PASSWORD).expired();
    let person = person.phone(&number);
    lab.slapd().add(&person);
    let login = Login::new(lab, "late-expiry")
        .user(person.uid())
        .number(&number)
        .text("password.refuse_after", "2s")
        .host(|host| host.steps(&[Step::Authenticate, Step::Authenticate]));
    let line = "denied first=password reason=password-expired";
    let want = Seen::new(&[code::MAXTRIES; 2], &[ASKS, PASSWORD_EXPIRED], &[line], 0);
    let seen = login.sees("expired", &RIGHT, &want);
    assert!(seen.results[0].1 >= Duration::from_millis(1500));
    // The result is remembered on the handle, and the directory is asked once.
    assert!(seen.results[1].1 < Duration::from_millis(500));
    assert_eq!(lab.slapd().binds(&person.dn()), 1);
}

/// The escape sequences that a terminal adds around pasted text are not part of the password.
fn paste_brackets_are_removed(lab: &Lab) {
    let zoe = someone(lab, "paste-zoe");
    let login = Login::new(lab, "paste").of(&zoe);
    let pasted = Say::Text("\u{1b}[200~correct horse, battery\u{1b}[201~");
    login.sees("pasted", &[pasted, Say::Code], &Seen::granted());
    let nothing = Say::Text("\u{1b}[200~\u{1b}[201~");
    let wrong = Seen::refused(code::AUTH_ERR, WRONG);
    login.sees("nothing in it", &[nothing], &wrong);
    assert_eq!(lab.slapd().binds(&zoe.person.dn()), 1);
}

fn a_broken_conversation_ends_the_login(lab: &Lab) {
    let ian = someone(lab, "break-ian");
    let login = Login::new(lab, "break").of(&ian);
    let cancelled = "denied user=? reason=cancelled";
    for input in [Say::HangUp, Say::Null] {
        login.sees(
            &format!("{input:?}"),
            &[input],
            &Seen::refused(code::CONV_ERR, cancelled),
        );
    }
    let killed = login.sees(
        "killed",
        &[Say::Die],
        &Seen::new(&[], &[ASKS], &[cancelled], 0),
    );
    assert_eq!(killed.killed_by, Some(9));
    assert_eq!(lab.slapd().binds(&ian.person.dn()), 0);
}
