//! `ldap.filter`: a search filter (RFC 4515) that finds the one entry of `{user}`.
#![forbid(unsafe_code)]

use super::value_types::{Invalid, ValueType, ldap::is_attribute};

/// The placeholder of the name.
const USER: &str = "{user}";

/// How deep parentheses may be nested.
const MAX_DEPTH: u32 = 16;

const SHAPE: Invalid = Invalid("not a search filter (RFC 4515)");
const BRACE: Invalid =
    Invalid("the filter contains an unknown {name} or a single brace (write \\7b and \\7d)");
const PARENTHESES: Invalid =
    Invalid("the parentheses do not match, or do not enclose all of the filter");
const STAR: Invalid = Invalid(
    "the filter contains a * that cannot be sent: a * must follow = (write \\2a for a literal *)",
);
const DN: Invalid = Invalid(
    "the filter contains a :dn that cannot be sent: write :dn in lower case; write a matching rule whose name begins with dn as its OID",
);

const NAMED: Invalid = Invalid("{user} must be compared with a named attribute, and without :dn");

/// `ldap.filter`
pub enum Filter {}

impl ValueType for Filter {
    type Raw = String;
    type Value = String;

    fn allowed() -> String {
        "a search filter in quotes and one pair of parentheses that compares an attribute with {user}, such \
         as \"(uid={user})\""
            .into()
    }

    fn parse(raw: String) -> Result<String, Invalid> {
        if raw.chars().any(char::is_control) {
            return Err(Invalid("the filter contains a control character"));
        }
        if raw.replace(USER, "").contains(['{', '}']) {
            return Err(BRACE);
        }
        if !raw.contains(USER) {
            return Err(Invalid("the filter does not contain {user}"));
        }
        if !is_balanced(&raw) {
            return Err(PARENTHESES);
        }
        let mut rest = raw.as_str();
        filter(&mut rest, Inside::default())?;
        if !rest.is_empty() {
            return Err(PARENTHESES);
        }
        Ok(raw)
    }
}

fn is_balanced(text: &str) -> bool {
    let mut open = 0_u32;
    for byte in text.bytes() {
        open = match byte {
            b'(' => open.saturating_add(1),
            b')' if open == 0 => return false,
            b')' => open.saturating_sub(1),
            _ => open,
        };
    }
    open == 0 && text.starts_with('(') && text.ends_with(')')
}

#[derive(Default, Clone, Copy)]
struct Inside {
    depth: u32,
    negation: bool,
}

/// Parses one filter in its parentheses.
fn filter(rest: &mut &str, inside: Inside) -> Result<(), Invalid> {
    let deeper = Inside {
        depth: inside.depth.saturating_add(1),
        ..inside
    };
    if deeper.depth > MAX_DEPTH {
        return Err(Invalid("the parentheses are nested too deeply"));
    }
    take(rest, "(")?;
    if take(rest, "&").is_ok() || take(rest, "|").is_ok() {
        while rest.starts_with('(') {
            filter(rest, deeper)?;
        }
    } else if take(rest, "!").is_ok() {
        let negation = true;
        filter(rest, Inside { negation, ..deeper })?;
    } else {
        let end = rest.find(['(', ')']).ok_or(SHAPE)?;
        let (text, after) = rest.split_at(end);
        item(text, deeper)?;
        *rest = after;
    }
    take(rest, ")")
}

fn take(rest: &mut &str, token: &str) -> Result<(), Invalid> {
    *rest = rest.strip_prefix(token).ok_or(SHAPE)?;
    Ok(())
}

/// Parses a comparison. The entry must *have* the name of the user: with a wildcard or an approximate match,
/// the name of one user would find the entry of another.
fn item(text: &str, inside: Inside) -> Result<(), Invalid> {
    let (left, value) = text.split_once('=').ok_or(SHAPE)?;
    let (attribute, equality) = match left.as_bytes().last() {
        Some(b':') => (rule(left)?, true),
        Some(b'~' | b'<' | b'>') => (left.get(..left.len().saturating_sub(1)), false),
        _ => (Some(left), true),
    };
    if !attribute.is_none_or(is_attribute) || !is_value(value) {
        return Err(SHAPE);
    }
    // Between two stars there must be a text (RFC 4511 §4.5.1.7.2), and only = allows substrings.
    let is_plain = left.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '-');
    if value.contains("**") || (value.contains('*') && !is_plain) {
        return Err(STAR);
    }
    if value.contains(USER) {
        // The values of this attribute are compared with the names of system users.
        if attribute.is_none() || left.to_ascii_lowercase().contains(":dn:") {
            return Err(NAMED);
        }
        if value.matches(USER).count() > 1 {
            return Err(Invalid("{user} is used twice in one comparison"));
        }
        if !equality || value.contains('*') {
            return Err(Invalid(
                "{user} must be compared as a whole, with = and without *",
            ));
        }
        if inside.negation {
            return Err(Invalid("{user} must not be inside (!...)"));
        }
    }
    Ok(())
}

/// Parses an extensible match, `attribute:dn:rule:` before its `=`, and returns the attribute, if any.
///
/// `dn` is not case-sensitive in RFC 4515, but the library sends `DN` as the name of a rule; and where `dn`
/// is allowed, it accepts the beginning of a rule's name as `dn`.
fn rule(left: &str) -> Result<Option<&str>, Invalid> {
    let mut parts = left.strip_suffix(':').unwrap_or(left).split(':');
    let attribute = parts.next().filter(|name| !name.is_empty());
    let mut rules: Vec<_> = parts.collect();
    match rules.first() {
        Some(&"dn") => drop(rules.remove(0)),
        Some(first) if first.eq_ignore_ascii_case("dn") || first.starts_with("dn") => {
            return Err(DN);
        }
        Some(_) | None => {}
    }
    let is_valid = match rules.as_slice() {
        [] => attribute.is_some(),
        [rule] => is_attribute(rule) && !rule.contains(';'),
        _ => false,
    };
    if is_valid { Ok(attribute) } else { Err(SHAPE) }
}

/// A comparison with the user's name: `(mail={user}@example.org)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comparison<'a> {
    /// As in the filter, with its options.
    pub attribute: &'a str,
    prefix: String,
    suffix: String,
}

impl Comparison<'_> {
    /// Returns the name in a value: the part at the place of `{user}`, or all of it.
    #[must_use]
    pub(crate) fn name<'a>(&self, value: &'a str) -> &'a str {
        let begin = self.prefix.len();
        let end = value.len().checked_sub(self.suffix.len());
        let parts = end.filter(|end| *end > begin).and_then(|end| {
            let affixes = (value.get(..begin)?, value.get(end..)?);
            Some((affixes, value.get(begin..end)?))
        });
        match parts {
            Some(((prefix, suffix), name))
                if prefix.eq_ignore_ascii_case(&self.prefix)
                    && suffix.eq_ignore_ascii_case(&self.suffix) =>
            {
                name
            }
            _ => value,
        }
    }
}

/// Returns the comparisons with `{user}` in a filter that was checked.
pub(crate) fn comparisons(filter: &str) -> impl Iterator<Item = Comparison<'_>> {
    // A parenthesis in a value is escaped.
    let items = filter.split(['(', ')']);
    items.filter_map(|item| {
        let (left, value) = item.split_once('=')?;
        let (before, after) = value.split_once(USER)?;
        Some(Comparison {
            attribute: left.split(':').next().unwrap_or(left),
            prefix: unescaped(before),
            suffix: unescaped(after),
        })
    })
}

/// Decodes the escapes of a value (RFC 4515 §3).
fn unescaped(value: &str) -> String {
    let mut parts = value.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        bytes.extend(u8::from_str_radix(digits, 16));
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a text is a value: after each backslash there are two hexadecimal digits (RFC 4515 §3).
fn is_value(value: &str) -> bool {
    value.split('\\').skip(1).all(|escaped| {
        escaped.len() >= 2
            && escaped
                .bytes()
                .take(2)
                .all(|digit| digit.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(text: &str) -> &'static str {
        Filter::parse(text.into()).map(|_| ()).unwrap_err().0
    }

    #[test]
    fn valid_filters_are_accepted_by_ldap3() {
        for text in [
            "(uid={user})",
            "(&(objectClass=person)(uid={user}))",
            "(&(objectClass=*)(|(uid={user})(mail={user}@example.org))(!(loginShell=/bin/false)))",
            "(&(cn=a*b*c)(sn~=x)(uidNumber>=1000)(uidNumber<=60000)(uid={user}))",
            "(&(uid={user})(memberOf:1.2.840.113556.1.4.1941:=cn=admins,dc=example,dc=org))",
            "(uid:caseExactMatch:={user})",
            "(&(ou:dn:=people)(uid={user}))",
            "(&(cn=\\28\\29\\2a)(description=\\7bcrypt\\7d)(uid={user}))",
            "(&(cn=Größe)(cn;lang-de=x)(uid={user}))",
            "(&(cn=)(uid={user}))",
            "(&(!(&(a=b)(c=d)))(uid={user}))",
            "(&(a=*b*)(:dn:2.5.13.5:=x)(a:dn:dnRule:=x)(a:rule-dn:=x)(uid={user}))",
        ] {
            assert!(Filter::parse(text.into()).is_ok(), "{text}");
            let sent = text.replace(USER, "alice");
            assert!(ldap3::parse_filter(&sent).is_ok(), "{text}");
        }
    }

    #[test]
    fn comparisons_with_the_name() {
        let of = |filter: &str| -> Vec<String> {
            let found = comparisons(filter).map(|one| {
                let Comparison {
                    attribute,
                    prefix,
                    suffix,
                } = one;
                format!("{attribute} {prefix}|{suffix}")
            });
            found.collect()
        };
        assert_eq!(of("(&(objectClass=person)(uid={user}))"), ["uid |"]);
        assert_eq!(
            of("(|(uid={user})(mail={user}@example.org)(!(a=b))(cn;lang-de=x))"),
            ["uid |", "mail |@example.org"]
        );
        assert_eq!(
            of("(uid;lang-de:caseExactMatch:={user})"),
            ["uid;lang-de |"]
        );
        assert_eq!(
            of("(0.9.2342.19200300.100.1.1={user})"),
            ["0.9.2342.19200300.100.1.1 |"]
        );
        assert_eq!(of("(a=\\28{user}\\29=\\c3\\a4)"), ["a (|)=\u{e4}"]);
    }

    #[test]
    fn the_name_in_a_value() {
        let name =
            |filter: &str, value: &str| comparisons(filter).next().unwrap().name(value).to_owned();
        for (filter, value, expected) in [
            ("(uid={user})", "root", "root"),
            ("(uid={user})", "", ""),
            ("(mail={user}@example.org)", "root@EXAMPLE.org", "root"),
            (
                "(mail={user}@example.org)",
                "root@example.net",
                "root@example.net",
            ),
            ("(mail={user}@example.org)", "@example.org", "@example.org"),
            ("(a=x:{user}:y)", "X:root:Y", "root"),
            ("(a=x:{user}:y)", "x:y", "x:y"),
            ("(a=x:{user}:y)", "x::y", "x::y"),
            ("(a=x{user})", "\u{e4}root", "\u{e4}root"),
        ] {
            assert_eq!(name(filter, value), expected, "{filter} {value}");
        }
    }

    #[test]
    fn invalid_filters_are_refused() {
        for (text, expected) in [
            ("", "not contain {user}"),
            ("(uid=*)", "not contain {user}"),
            ("(uid={uid})", "unknown {name}"),
            ("(&(uid={user})(a={))", "single brace"),
            ("(uid={USER})", "unknown {name}"),
            ("uid={user}", "parentheses"),
            ("(uid={user}", "parentheses"),
            ("(uid={user}))", "parentheses"),
            ("(uid={user})(a=b)", "parentheses"),
            (")(uid={user})(", "parentheses"),
            (" (uid={user})", "parentheses"),
            ("(&(uid={user})x)", "RFC 4515"),
            ("(&(uid={user})())", "RFC 4515"),
            ("((uid={user}))", "RFC 4515"),
            ("({user})", "RFC 4515"),
            ("({user}=a)", "RFC 4515"),
            ("(uid ={user})", "RFC 4515"),
            ("(&(a=\\2)(uid={user}))", "RFC 4515"),
            ("(&(a=\\zz)(uid={user}))", "RFC 4515"),
            ("(:={user})", "RFC 4515"),
            ("(a:b:c:={user})", "RFC 4515"),
            ("(!(a=b)(uid={user}))", "RFC 4515"),
            ("(uid={user}\n)", "control character"),
            ("(uid=*{user}*)", "without *"),
            ("(uid={user}*)", "without *"),
            ("(&(a=b**c)(uid={user}))", "a *"),
            ("(&(a=**)(uid={user}))", "a *"),
            ("(&(a~=b*)(uid={user}))", "a *"),
            ("(&(a>=*)(uid={user}))", "a *"),
            ("(&(a<=1*)(uid={user}))", "a *"),
            ("(&(a:rule:=b*)(uid={user}))", "a *"),
            ("(&(a:DN:=b)(uid={user}))", ":dn"),
            ("(&(:Dn:rule:=b)(uid={user}))", ":dn"),
            ("(&(a:dnRule:=b)(uid={user}))", ":dn"),
            ("(uid~={user})", "with ="),
            ("(uid>={user})", "with ="),
            ("(:caseIgnoreMatch:={user})", "named attribute"),
            ("(uid:dn:={user})", "named attribute"),
            ("(uid:dn:caseIgnoreMatch:={user})", "named attribute"),
            ("(cn={user} {user})", "twice"),
            ("(!(uid={user}))", "(!...)"),
            ("(&(a=b)(!(|(c=d)(uid={user}))))", "(!...)"),
        ] {
            assert!(
                invalid(text).contains(expected),
                "{text}: {}",
                invalid(text)
            );
        }
        let deep = format!("{}(uid={{user}}){}", "(&".repeat(16), ")".repeat(16));
        assert!(invalid(&deep).contains("deeply"));
    }
}
