//! The table of keys.
#![forbid(unsafe_code)]

use super::{
    super::{
        draft::{Draft, Overlay, put},
        file::Given,
        values::Why,
    },
    Key, Part, Set,
};

const fn once(
    path: &'static str,
    allowed: &'static str,
    set: fn(&mut Draft, Given<'_>) -> Result<(), Why>,
) -> Key {
    let set = Set::Once(set);
    Key { path, allowed, set }
}

const fn each(
    path: &'static str,
    allowed: &'static str,
    set: fn(&mut Overlay, Given<'_>) -> Result<(), Why>,
) -> Key {
    let set = Set::Each(set);
    Key { path, allowed, set }
}

const fn people(path: &'static str, allowed: &'static str) -> Key {
    let set = Set::Later(Part::People);
    Key { path, allowed, set }
}

const TIMEOUT: &str = "a duration from 100ms to 60s in quotes, such as \"5s\"";
const SECRET: &str = "one line of text in quotes, in a file of mode 0600 (or root's, 0640)";
const TOKEN: &str = "ASCII letters and digits in quotes, in a file of mode 0600 (or root's, 0640)";
const TOKEN_FILE: &str = "the absolute path of a file of mode 0600 (or root's, 0640) with one line \
                          of ASCII letters and digits, the secret";
const SECRET_FILE: &str =
    "the absolute path of a file of mode 0600 (or root's, 0640) with one line, the secret";
const KEY_FILE: &str = "the absolute path of a file of mode 0600 (or root's, 0640) with one line of \
                        at least 32 characters, the same on all hosts";
const REDIS: &str = "in quotes rediss://HOST[:PORT][/DB], rediss+sentinel://HOST[:PORT]/MASTER[:PORT][/DB] \
                     or rediss+cluster://HOST[:PORT], of several hosts with commas between them \
                     (redis without the second s for loopback hosts only), or redis+unix:///PATH";
const CA_FILE: &str = "the absolute path of a PEM file with certificates of authorities";
const PROMPT: &str = "one line of printable ASCII in quotes, up to 200 characters, with any of \
                      {host} {service} {rhost} {user} {phone} {minutes} {left} {wait} {login}";
const LAST: &str = "one line in quotes, up to 500 characters, with any of {host} {service} \
                    {rhost} {user} {phone} {minutes} {left} {wait} {login}";

pub static KEYS: &[Key] = &[
    once(
        "deadline",
        "a duration from 1s to 2m in quotes, such as \"30s\"",
        |d, v| put(&mut d.deadline, v),
    ),
    once(
        "twilio.twilio_sid",
        "the account's SID in quotes: AC and 32 hexadecimal digits",
        |d, v| put(&mut d.twilio.sid, v),
    ),
    once("twilio.twilio_token", TOKEN, |d, v| {
        put(&mut d.twilio.token, v)
    }),
    once("twilio.twilio_token_file", TOKEN_FILE, |d, v| {
        put(&mut d.twilio.token_file, v)
    }),
    once(
        "twilio.api_key_sid",
        "an API key's SID in quotes: SK and 32 hexadecimal digits",
        |d, v| put(&mut d.twilio.key_sid, v),
    ),
    once("twilio.api_key_secret", TOKEN, |d, v| {
        put(&mut d.twilio.key_secret, v)
    }),
    once("twilio.api_key_secret_file", TOKEN_FILE, |d, v| {
        put(&mut d.twilio.key_secret_file, v)
    }),
    once(
        "twilio.from_number",
        "in quotes: + and 8 to 15 digits, a short code of 3 to 8 digits, or a sender id of up to \
         11 letters, digits, spaces, + - _ & with at least one letter",
        |d, v| put(&mut d.twilio.from, v),
    ),
    once(
        "twilio.messaging_service_sid",
        "a Messaging Service's SID in quotes: MG and 32 hexadecimal digits",
        |d, v| put(&mut d.twilio.service, v),
    ),
    once(
        "twilio.api_url",
        "https://HOST or https://HOST:PORT in quotes (http:// for loopback hosts only)",
        |d, v| put(&mut d.twilio.api_url, v),
    ),
    once("twilio.ca_file", CA_FILE, |d, v| {
        put(&mut d.twilio.ca_file, v)
    }),
    once(
        "twilio.proxy",
        "http://HOST:PORT in quotes, without user and password",
        |d, v| put(&mut d.twilio.proxy, v),
    ),
    once("twilio.timeout", TIMEOUT, |d, v| {
        put(&mut d.twilio.timeout, v)
    }),
    once("twilio.preconnect", "true or false", |d, v| {
        put(&mut d.twilio.preconnect, v)
    }),
    once(
        "ldap.uris",
        "a list in brackets of ldaps://HOST[:PORT], ldap://HOST[:PORT] or ldapi://%2FPATH",
        |d, v| put(&mut d.ldap.uris, v),
    ),
    once("ldap.start_tls", "true or false", |d, v| {
        put(&mut d.ldap.start_tls, v)
    }),
    once("ldap.ca_file", CA_FILE, |d, v| put(&mut d.ldap.ca_file, v)),
    once("ldap.timeout", TIMEOUT, |d, v| put(&mut d.ldap.timeout, v)),
    once(
        "ldap.bind_dn",
        "the service account's name in quotes",
        |d, v| put(&mut d.ldap.bind_dn, v),
    ),
    once("ldap.bind_password", SECRET, |d, v| {
        put(&mut d.ldap.bind_password, v)
    }),
    once("ldap.bind_password_file", SECRET_FILE, |d, v| {
        put(&mut d.ldap.bind_password_file, v)
    }),
    once(
        "ldap.base",
        "the DN in quotes below which people are, such as \"ou=people,dc=example,dc=org\"",
        |d, v| put(&mut d.ldap.base, v),
    ),
    once(
        "ldap.filter",
        "a search filter in quotes and one pair of parentheses that compares an attribute with \
         {user}, such as \"(uid={user})\"",
        |d, v| put(&mut d.ldap.filter, v),
    ),
    once(
        "ldap.verified_attribute",
        "the name of an attribute in quotes",
        |d, v| put(&mut d.ldap.verified_attribute, v),
    ),
    once(
        "ldap.phone_attributes",
        "a list in brackets of names of attributes, at least one",
        |d, v| put(&mut d.ldap.phone_attributes, v),
    ),
    once(
        "ldap.default_region",
        "the two capital letters of a country (ISO 3166-1) in quotes, such as \"US\"",
        |d, v| put(&mut d.ldap.default_region, v),
    ),
    once("ldap.grace", "\"allow\" or \"deny\"", |d, v| {
        put(&mut d.ldap.grace, v)
    }),
    once(
        "ldap.plain_numbers",
        "\"national\" or \"international\"",
        |d, v| put(&mut d.ldap.plain_numbers, v),
    ),
    once(
        "ldap.strip_domains",
        "a list in brackets of domains (letters, digits, . - _), such as \"example.org\" or \"EXAMPLE\"",
        |d, v| put(&mut d.ldap.strip_domains, v),
    ),
    once("ldap.password_policy", "true or false", |d, v| {
        put(&mut d.ldap.password_policy, v)
    }),
    each(
        "password.source",
        "\"ldap\", \"ssh\", \"auto\" or \"stack\"",
        |o, v| put(&mut o.source, v),
    ),
    each(
        "password.refuse_after",
        "a duration from 0s (no wait) to 10s in quotes, such as \"2s\"",
        |o, v| put(&mut o.refuse_after, v),
    ),
    each("code.digits", "a whole number from 6 to 10", |o, v| {
        put(&mut o.digits, v)
    }),
    each(
        "code.lifetime",
        "a duration from 5s to 10m in quotes, such as \"5m\"",
        |o, v| put(&mut o.lifetime, v),
    ),
    each("code.tries", "a whole number from 1 to 10", |o, v| {
        put(&mut o.tries, v)
    }),
    each("code.resends", "a whole number from 0 to 10", |o, v| {
        put(&mut o.resends, v)
    }),
    each("code.echo", "true or false", |o, v| put(&mut o.echo, v)),
    each(
        "messages.sms",
        "one line in quotes, up to 600 characters, with {code} and any of {host} {service} \
         {rhost} {user} {phone} {minutes} {left} {wait} {login}",
        |o, v| put(&mut o.messages.sms, v),
    ),
    each("messages.password", PROMPT, |o, v| {
        put(&mut o.messages.password, v)
    }),
    each("messages.code", PROMPT, |o, v| put(&mut o.messages.code, v)),
    each("messages.sent", PROMPT, |o, v| put(&mut o.messages.sent, v)),
    each("messages.resent", PROMPT, |o, v| {
        put(&mut o.messages.resent, v)
    }),
    each("messages.wrong", PROMPT, |o, v| {
        put(&mut o.messages.wrong, v)
    }),
    each("messages.expired", PROMPT, |o, v| {
        put(&mut o.messages.expired, v)
    }),
    each("messages.not_a_code", PROMPT, |o, v| {
        put(&mut o.messages.not_a_code, v)
    }),
    each("messages.no_resend", PROMPT, |o, v| {
        put(&mut o.messages.no_resend, v)
    }),
    each("messages.wait", PROMPT, |o, v| put(&mut o.messages.wait, v)),
    each("messages.too_many", LAST, |o, v| {
        put(&mut o.messages.too_many, v)
    }),
    each("messages.too_late", LAST, |o, v| {
        put(&mut o.messages.too_late, v)
    }),
    each("messages.not_verified", LAST, |o, v| {
        put(&mut o.messages.not_verified, v)
    }),
    each("messages.no_code", LAST, |o, v| {
        put(&mut o.messages.no_code, v)
    }),
    each("messages.password_expired", LAST, |o, v| {
        put(&mut o.messages.password_expired, v)
    }),
    each("messages.stopped", LAST, |o, v| {
        put(&mut o.messages.stopped, v)
    }),
    each("messages.bad_number", LAST, |o, v| {
        put(&mut o.messages.bad_number, v)
    }),
    each("messages.new_phone", LAST, |o, v| {
        put(&mut o.messages.new_phone, v)
    }),
    each("messages.not_sent", LAST, |o, v| {
        put(&mut o.messages.not_sent, v)
    }),
    each("messages.later", LAST, |o, v| put(&mut o.messages.later, v)),
    each("messages.grace", LAST, |o, v| put(&mut o.messages.grace, v)),
    each("messages.guesses", LAST, |o, v| {
        put(&mut o.messages.guesses, v)
    }),
    each(
        "policy.min_uid",
        "a whole number from 1 (0 is root, for whom no directory may vouch) to 4294967295",
        |o, v| put(&mut o.min_uid, v),
    ),
    each("policy.subject", "\"user\" or \"caller\"", |o, v| {
        put(&mut o.subject, v)
    }),
    each(
        "policy.remember",
        "a duration from 1s to 30d in quotes, such as \"15m\"",
        |o, v| put(&mut o.remember, v),
    ),
    each(
        "policy.new_phone",
        "\"allow\", or a duration from 1s to 30d in quotes, such as \"1d\"",
        |o, v| put(&mut o.new_phone, v),
    ),
    people("policy.groups", "a list in brackets of groups"),
    people("policy.exempt_groups", "a list in brackets of groups"),
    people("policy.exempt_users", "a list in brackets of users"),
    people("policy.exempt_networks", "a list in brackets of networks"),
    people(
        "policy.missing_phone",
        "\"deny\" or \"skip until YYYY-MM-DD\"",
    ),
    people("policy.outage", "\"deny\" or \"skip\""),
    each(
        "limits.sms",
        "a list in brackets of one to eight NUMBER/DURATION, such as \"5/15m\": a whole number \
         from 1 to 1000, and 1s to 30d in whole seconds",
        |o, v| put(&mut o.sms, v),
    ),
    each(
        "limits.sms_total",
        "NUMBER/DURATION in quotes, such as \"500/1d\": a whole number from 1 to 1000000, and 1s \
         to 30d in whole seconds",
        |o, v| put(&mut o.sms_total, v),
    ),
    each(
        "limits.pause",
        "a duration from 0s (none) to 5m in quotes, such as \"30s\"",
        |o, v| put(&mut o.pause, v),
    ),
    each("limits.failures", "a whole number from 1 to 100", |o, v| {
        put(&mut o.failures, v)
    }),
    each(
        "limits.lock",
        "a duration from 1s to 1d in quotes, such as \"15m\"",
        |o, v| put(&mut o.lock, v),
    ),
    each(
        "limits.disable_after",
        "a whole number from 1 to 100",
        |o, v| put(&mut o.disable_after, v),
    ),
    each(
        "limits.allowed_prefixes",
        "a list in brackets of at least one + and 1 to 15 digits, the first of them not 0, such \
         as \"+44\"",
        |o, v| put(&mut o.allowed_prefixes, v),
    ),
    once(
        "ledger.path",
        "the absolute path in quotes of a folder of its own",
        |d, v| put(&mut d.ledger.path, v),
    ),
    once("ledger.redis", REDIS, |d, v| put(&mut d.ledger.redis, v)),
    once(
        "ledger.redis_user",
        "the name of an ACL user in quotes, without spaces",
        |d, v| put(&mut d.ledger.redis_user, v),
    ),
    once("ledger.redis_password_file", SECRET_FILE, |d, v| {
        put(&mut d.ledger.redis_password_file, v)
    }),
    once("ledger.ca_file", CA_FILE, |d, v| {
        put(&mut d.ledger.ca_file, v)
    }),
    once("ledger.key_file", KEY_FILE, |d, v| {
        put(&mut d.ledger.key_file, v)
    }),
    once("ledger.timeout", TIMEOUT, |d, v| {
        put(&mut d.ledger.timeout, v)
    }),
    once("ledger.unreachable", "\"local\" or \"deny\"", |d, v| {
        put(&mut d.ledger.unreachable, v)
    }),
];
