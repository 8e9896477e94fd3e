//! The detail in the log for refusals with several possible causes, and numbers as Gluu Casa stores them.

use super::login::{Login, PASSWORD, Say, Seen};
use super::password::overflow_user;
use crate::Case;
use lab::Lab;
use lab::slapd::LdapUser;

pub const CASES: &[Case] = &[
    (
        "module::details::the_log_names_attribute_and_reason_but_no_value",
        the_log_names_attribute_and_reason_but_no_value,
    ),
    (
        "module::details::the_log_names_why_a_name_is_refused",
        the_log_names_why_a_name_is_refused,
    ),
    (
        "module::details::numbers_of_casa_have_no_plus",
        numbers_of_casa_have_no_plus,
    ),
];

const RIGHT: [Say; 2] = [Say::Password, Say::Code];

/// Adds an entry with these attributes; `N` is replaced by the number without its `+`.
fn person(lab: &Lab, name: &str, attributes: &[(&str, &str)]) -> (String, String) {
    let number = lab.number();
    let mut person = LdapUser::new(name).password(PASSWORD);
    for (attribute, value) in attributes {
        person = person.attr(attribute, &value.replace('N', &number[1..]));
    }
    lab.slapd().add(&person);
    (name.to_owned(), number)
}

/// Names and values.
type Attributes = &'static [(&'static str, &'static str)];

const TRUE: (&str, &str) = ("phoneNumberVerified", "TRUE");

fn the_log_names_attribute_and_reason_but_no_value(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let rows: [(Attributes, &str, &str); 12] = [
        (
            &[TRUE],
            "no-number",
            "mobile: no value; description: no value",
        ),
        (
            &[TRUE, ("mobile", "N")],
            "no-number",
            "mobile: no country code; description: no value",
        ),
        (
            &[TRUE, ("mobile", "+N ext. 5"), ("mobile", "07700 900123")],
            "no-number",
            "mobile (2 values): contains an extension, no country code; description: no value",
        ),
        (
            &[TRUE, ("description", "\u{202a}+N\u{202c}")],
            "no-number",
            "mobile: no value; description: contains an invisible character (U+202A)",
        ),
        (
            &[TRUE, ("description", "+N\u{1b}[2J")],
            "no-number",
            "mobile: no value; description: contains a control character (U+001B)",
        ),
        (
            &[TRUE, ("mobile", "+999 12345678")],
            "no-number",
            "mobile: unknown country code; description: no value",
        ),
        (
            &[("mobile", "+N")],
            "not-verified",
            "verifiedPhone: no value",
        ),
        (
            &[("verifiedPhone", "false"), ("mobile", "+N")],
            "not-verified",
            "verifiedPhone: FALSE",
        ),
        (
            &[("verifiedPhone", "TRUE"), ("verifiedPhone", "+N")],
            "not-verified",
            "verifiedPhone: 1 of 2 values are booleans",
        ),
        (
            &[("verifiedPhone", "+N"), ("verifiedPhone", "ask the desk")],
            "not-verified",
            "verifiedPhone: 1 of 2 values are no phone numbers (contains letters)",
        ),
        (
            &[("verifiedPhone", "N")],
            "not-verified",
            "verifiedPhone: neither TRUE nor a phone number (no country code)",
        ),
        (
            &[("verifiedPhone", "yes")],
            "not-verified",
            "verifiedPhone: neither TRUE nor a phone number (contains letters)",
        ),
    ];
    for (index, (attributes, reason, detail)) in rows.into_iter().enumerate() {
        let (name, number) = person(lab, &format!("detail-{index}"), attributes);
        let mut login = Login::new(lab, "detail").user(&name).number(&number);
        login = login.set("ldap.phone_attributes", "[\"mobile\", \"description\"]");
        if reason == "not-verified" {
            login = login.text("ldap.verified_attribute", "verifiedPhone");
        }
        login.run(&RIGHT, 1);
        assert_eq!(login.newest_field("reason"), reason, "{detail}");
        assert_eq!(login.newest_field("detail"), detail);
        assert_eq!(login.requests(), 0, "{detail}");
    }
}

fn the_log_names_why_a_name_is_refused(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    for (name, reason, detail) in [
        ("root", "system-user", "uid 0 is below policy.min_uid"),
        (
            &overflow_user(),
            "system-user",
            "uid 65534 is the overflow uid",
        ),
        ("no-such-name", "no-such-user", "no entry in the directory"),
        (
            &"x".repeat(257),
            "no-such-user",
            "the name is longer than 256 bytes",
        ),
    ] {
        let login = Login::new(lab, "detail-name").user(name);
        login.run(&RIGHT, 1);
        assert_eq!(login.newest_field("reason"), reason, "{detail}");
        assert_eq!(login.newest_field("detail"), detail);
    }
}

/// Casa stores digits with the country code and without `+`, in `mobile` only.
fn numbers_of_casa_have_no_plus(lab: &Lab) {
    let login = |(name, number): &(String, String)| {
        Login::new(lab, "casa")
            .text("ldap.verified_attribute", "mobile")
            .text("ldap.plain_numbers", "international")
            .user(name)
            .number(number)
    };
    let casa = person(lab, "casa-dee", &[("mobile", "N")]);
    login(&casa).sees("digits", &RIGHT, &Seen::granted());
    let two = person(lab, "casa-eve", &[("mobile", "N"), ("mobile", "999")]);
    let (transcript, seen) = login(&two).run(&RIGHT, 1);
    assert_eq!((transcript.codes().len(), seen.sms()), (1, 0));
    let plus = person(lab, "casa-fay", &[("mobile", "+N")]);
    login(&plus).sees("with +", &RIGHT, &Seen::granted());
    if lab.machine_error().is_some() {
        return;
    }
    for (index, written) in ["00N", "(202) 555-0142", "44-7700-900123", "07700900123"]
        .into_iter()
        .enumerate()
    {
        let account = person(lab, &format!("casa-odd-{index}"), &[("mobile", written)]);
        let login = login(&account);
        login.run(&RIGHT, 1);
        assert_eq!(
            login.newest_field("detail"),
            "mobile: neither TRUE nor a phone number (no country code)",
            "{written}"
        );
    }
}
