//! Which numbers of an entry are verified, and which of them is used.

use super::login::{Login, NOT_VERIFIED, PASSWORD, Say, Seen};
use crate::Case;
use lab::Lab;
use lab::pamhost::code;
use lab::slapd::LdapUser;

pub const CASES: &[Case] = &[
    (
        "module::phone::true_verifies_the_phone_attributes",
        true_verifies_the_phone_attributes,
    ),
    (
        "module::phone::false_or_absent_is_not_verified",
        false_or_absent_is_not_verified,
    ),
    (
        "module::phone::the_verified_attribute_may_contain_the_numbers",
        the_verified_attribute_may_contain_the_numbers,
    ),
    (
        "module::phone::mixed_values_are_not_verified",
        mixed_values_are_not_verified,
    ),
    (
        "module::phone::unreadable_numbers_are_refused",
        unreadable_numbers_are_refused,
    ),
    (
        "module::phone::usual_notations_are_parsed",
        usual_notations_are_parsed,
    ),
    (
        "module::phone::attributes_with_options_are_ignored",
        attributes_with_options_are_ignored,
    ),
];

/// The attributes of an entry, and settings in addition to those of the laboratory.
struct Row<'a> {
    what: &'a str,
    attributes: &'a [(&'a str, &'a str)],
    settings: &'a [(&'a str, &'a str)],
}

impl Row<'_> {
    /// Adds the entry and returns a login; `N` in a value is replaced by the number without its `+`.
    fn login<'b>(&self, lab: &'b Lab, case: &'static str, index: usize) -> Login<'b> {
        let number = lab.number();
        let mut person = LdapUser::new(&format!("{case}-{index}")).password(PASSWORD);
        for (name, value) in self.attributes {
            person = person.attr(name, &value.replace('N', &number[1..]));
        }
        lab.slapd().add(&person);
        let login = Login::new(lab, case).user(person.uid()).number(&number);
        self.settings
            .iter()
            .fold(login, |login, (key, value)| login.set(key, value))
    }
}

fn row<'a>(
    what: &'a str,
    attributes: &'a [(&'a str, &'a str)],
    settings: &'a [(&'a str, &'a str)],
) -> Row<'a> {
    Row {
        what,
        attributes,
        settings,
    }
}

fn all(lab: &Lab, case: &'static str, rows: &[Row], want: &Seen) {
    for (index, row) in rows.iter().enumerate() {
        let login = row.login(lab, case, index);
        login.sees(row.what, &[Say::Password, Say::Code], want);
        let sent = usize::from(want == &Seen::granted());
        assert_eq!(login.requests(), sent, "{}", row.what);
    }
}

fn not_verified() -> Seen {
    let line = "denied first=password reason=not-verified";
    Seen::unsent(code::MAXTRIES, NOT_VERIFIED, line)
}

fn no_number() -> Seen {
    let line = "denied first=password reason=no-number";
    Seen::unsent(code::MAXTRIES, NOT_VERIFIED, line)
}

const TRUE: (&str, &str) = ("phoneNumberVerified", "TRUE");
const TEXT: (&str, &str) = ("ldap.verified_attribute", "\"verifiedPhone\"");
const CASA: (&str, &str) = ("ldap.verified_attribute", "\"mobile\"");
const GLUU: (&str, &str) = (
    "ldap.phone_attributes",
    "[\"employeeNumber\", \"mobile\", \"telephoneNumber\"]",
);

const DESCRIPTION: (&str, &str) = ("ldap.phone_attributes", "[\"description\"]");

fn true_verifies_the_phone_attributes(lab: &Lab) {
    let rows = [
        row("mobile", &[TRUE, ("mobile", "+N")], &[]),
        row("telephoneNumber", &[TRUE, ("telephoneNumber", "+N")], &[]),
        row(
            "the first attribute wins",
            &[
                TRUE,
                ("mobile", "+N"),
                ("telephoneNumber", "+44 7700 900999"),
            ],
            &[],
        ),
        row(
            "a value that is not a number is skipped",
            &[TRUE, ("mobile", "ask the desk"), ("telephoneNumber", "+N")],
            &[],
        ),
        row(
            "of several the lowest as text",
            &[
                TRUE,
                ("mobile", "+447700900999"),
                ("mobile", "+N"),
                ("mobile", "+999"),
            ],
            &[],
        ),
        row("employeeNumber", &[TRUE, ("employeeNumber", "+N")], &[GLUU]),
        row(
            "Gluu's order",
            &[
                TRUE,
                ("telephoneNumber", "+44 7700 900999"),
                ("employeeNumber", "+N"),
            ],
            &[GLUU],
        ),
        row(
            "true",
            &[("verifiedPhone", "true"), ("mobile", "+N")],
            &[TEXT],
        ),
        row(
            "True",
            &[("verifiedPhone", "True"), ("mobile", "+N")],
            &[TEXT],
        ),
    ];
    all(lab, "verified", &rows, &Seen::granted());
}

fn false_or_absent_is_not_verified(lab: &Lab) {
    let rows = [
        row(
            "FALSE",
            &[("phoneNumberVerified", "FALSE"), ("mobile", "+N")],
            &[],
        ),
        row("absent", &[("mobile", "+N")], &[]),
        row(
            "both",
            &[TRUE, ("phoneNumberVerified", "FALSE"), ("mobile", "+N")],
            &[],
        ),
        row(
            "false",
            &[("verifiedPhone", "false"), ("mobile", "+N")],
            &[TEXT],
        ),
        row(
            "yes",
            &[("verifiedPhone", "yes"), ("mobile", "+N")],
            &[TEXT],
        ),
        row("1", &[("verifiedPhone", "1"), ("mobile", "+N")], &[TEXT]),
        row(
            "TRUE and blank",
            &[("verifiedPhone", "TRUE!"), ("mobile", "+N")],
            &[TEXT],
        ),
        row(
            "an attribute that no entry has",
            &[TRUE, ("mobile", "+N")],
            &[("ldap.verified_attribute", "\"phoneNumberChecked\"")],
        ),
    ];
    all(lab, "unverified", &rows, &not_verified());
}

fn the_verified_attribute_may_contain_the_numbers(lab: &Lab) {
    let rows = [
        row("the number", &[("verifiedPhone", "+N")], &[TEXT]),
        row(
            "of two the lowest as text",
            &[("verifiedPhone", "+N"), ("verifiedPhone", "+447700900999")],
            &[TEXT],
        ),
        row(
            "not the phone attribute's",
            &[("verifiedPhone", "+N"), ("mobile", "+447700900999")],
            &[TEXT],
        ),
        row("Casa", &[("mobile", "+N")], &[CASA]),
        row(
            "Casa, and the boolean does not matter",
            &[("mobile", "+N"), ("phoneNumberVerified", "FALSE")],
            &[CASA],
        ),
    ];
    all(lab, "numbers", &rows, &Seen::granted());
}

fn mixed_values_are_not_verified(lab: &Lab) {
    let rows = [
        row(
            "TRUE and a number",
            &[
                ("verifiedPhone", "TRUE"),
                ("verifiedPhone", "+N"),
                ("mobile", "+N"),
            ],
            &[TEXT],
        ),
        row(
            "a number and a word",
            &[("verifiedPhone", "+N"), ("verifiedPhone", "mine")],
            &[TEXT],
        ),
        row(
            "Casa with an unreadable one",
            &[("mobile", "+N"), ("mobile", "0")],
            &[CASA],
        ),
        row(
            "Casa without a number",
            &[("telephoneNumber", "+N")],
            &[CASA],
        ),
        row("a filter", &[("verifiedPhone", "*)(uid=*")], &[TEXT]),
        row(
            "control characters",
            &[("verifiedPhone", "+N\u{7}")],
            &[TEXT],
        ),
        row(
            "a number and more behind a line's end",
            &[("verifiedPhone", "+N\n+447700900999")],
            &[TEXT],
        ),
    ];
    all(lab, "mixture", &rows, &not_verified());
    let long = "+44 7700 900999 ".repeat(640);
    assert!(long.len() > 10_000);
    let long = [("verifiedPhone", long.as_str())];
    all(
        lab,
        "mixture-10kb",
        &[row("10 kB", &long, &[TEXT])],
        &not_verified(),
    );
}

fn unreadable_numbers_are_refused(lab: &Lab) {
    let long = "7".repeat(10_240);
    let rows = [
        row("none", &[TRUE], &[]),
        row("words", &[TRUE, ("mobile", "ask the desk")], &[]),
        row("no country", &[TRUE, ("mobile", "07700 900123")], &[]),
        row("too short", &[TRUE, ("mobile", "+44 7")], &[]),
        row("too long", &[TRUE, ("mobile", "+4477009001234567")], &[]),
        row("no such country", &[TRUE, ("mobile", "+999 12345678")], &[]),
        row("an extension", &[TRUE, ("mobile", "+N ext. 5")], &[]),
        row("two in one", &[TRUE, ("mobile", "+N / +N")], &[]),
        row(
            "control characters",
            &[TRUE, ("description", "+N\u{1b}[2J")],
            &[DESCRIPTION],
        ),
        row(
            "a filter",
            &[TRUE, ("description", "*)(uid=*")],
            &[DESCRIPTION],
        ),
        row(
            "other digits",
            &[TRUE, ("description", "+\u{664}\u{664}7700900999")],
            &[DESCRIPTION],
        ),
        row(
            "a header",
            &[TRUE, ("description", "+N\r\nTo: +447700900999")],
            &[DESCRIPTION],
        ),
    ];
    all(lab, "unreadable", &rows, &no_number());
    let long = [TRUE, ("description", long.as_str())];
    let long = row("10 kB", &long, &[DESCRIPTION]);
    all(lab, "unreadable-10kb", &[long], &no_number());
}

fn usual_notations_are_parsed(lab: &Lab) {
    // A notation, the default region, and the number in E.164.
    let rows = [
        ("(202) 555-0142", "US", "+12025550142"),
        ("202.555.0143", "US", "+12025550143"),
        ("1-202-555-0144", "US", "+12025550144"),
        ("+1 (202) 555 0145", "GB", "+12025550145"),
        ("+1 202-555-0146", "", "+12025550146"),
    ];
    for (index, (written, region, number)) in rows.into_iter().enumerate() {
        let person = LdapUser::new(&format!("written-{index}"))
            .password(PASSWORD)
            .phone(written);
        lab.slapd().add(&person);
        let mut login = Login::new(lab, "written").user(person.uid()).number(number);
        if !region.is_empty() {
            login = login.text("ldap.default_region", region);
        }
        login.sees(written, &[Say::Password, Say::Code], &Seen::granted());
    }
}

fn attributes_with_options_are_ignored(lab: &Lab) {
    let rows = [row(
        "only with an option",
        &[TRUE, ("mobile;lang-en", "+N")],
        &[],
    )];
    all(lab, "options", &rows, &no_number());
    let casa = [row(
        "only with an option",
        &[("mobile;lang-en", "+N")],
        &[CASA],
    )];
    all(lab, "options-casa", &casa, &not_verified());
}
