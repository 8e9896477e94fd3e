//! Tests with real servers, and with fake ones that misbehave.
#![forbid(unsafe_code)]

mod broken_servers;
mod forged_records;
mod full_server;
mod local_socket;
mod permissions;
mod scripts;
mod semantics;
mod topologies;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use lab::redis::Redis;

use super::{RedisStore, *};
use crate::{
    config::{Limits, RedisSite, Rule, Unreachable},
    failure::FailureKind,
    id::LoginId,
    phone::Phone,
    secret::Secret,
};

/// Replaces the server's clock in a script by this one, in milliseconds.
pub(super) fn with_clock(script: &str, clock: Option<&AtomicU64>) -> String {
    const TIME: &str = "redis.call('TIME')";
    assert_eq!(script.matches(TIME).count(), 1);
    match clock.map(|clock| clock.load(Ordering::Relaxed)) {
        None => script.to_owned(),
        Some(now) => script.replace(
            TIME,
            &format!("{{ {}, {} }}", now / 1000, now % 1000 * 1000),
        ),
    }
}

/// Settings for one server without TLS.
fn settings(port: u16) -> config::Redis {
    config::Redis {
        site: RedisSite::Single,
        hosts: vec![("127.0.0.1".to_owned(), port)],
        tls: false,
        ca_file: None,
        database: 0,
        login: None,
        key: Secret::new("key of the hosts".to_owned()),
        timeout: Duration::from_secs(5),
        unreachable: Unreachable::Deny,
    }
}

fn connect(server: &Redis) -> RedisStore {
    RedisStore::begin_for_a_test(&settings(server.port())).unwrap()
}

fn soon() -> Deadline {
    Deadline::within(Duration::from_secs(30))
}

/// Five SMS in an hour, three wrong codes.
fn limits() -> Limits {
    Limits {
        sms: vec![Rule {
            most: 5,
            within: Duration::from_secs(3600),
        }],
        sms_total: None,
        pause: Duration::ZERO,
        failures: 3,
        lock: Duration::from_secs(900),
        disable_after: 10,
        ..Limits::defaults()
    }
}

fn rules(limits: &Limits) -> Rules<'_> {
    Rules {
        limits,
        remember: Some(Duration::from_secs(900)),
        new_phone: Duration::ZERO,
        is_fallback: false,
    }
}

/// A test account; each number is another user.
fn account(number: u32) -> Account {
    let phone = Phone::parse(&format!("+447700900{number:03}"), None).unwrap();
    Account {
        login: LoginId(number.to_be_bytes()),
        dn: format!("uid=alice{number},ou=people,dc=example,dc=org"),
        name: format!("alice{number}"),
        allowed: true,
        phone: phone.clone(),
        numbers: vec![phone],
        password_changed: "20260101000000Z".to_owned(),
        origin_key: Some("alice sshd 192.0.2.7".to_owned()),
        segments: 1,
    }
}

fn is_outage<T>(answer: &Result<T, Failure>) -> bool {
    answer.as_ref().is_err_and(fault::is_outage)
}

/// The refusal's text and remedy.
fn refused<T: std::fmt::Debug>(answer: Result<T, Failure>) -> (String, String) {
    match answer {
        Err(Failure {
            kind: FailureKind::Refused,
            what,
            remedy,
            ..
        }) => (what, remedy.into_owned()),
        other => panic!("{other:?}"),
    }
}
