//! Whole exchanges with a stand-in, byte by byte.
#![forbid(unsafe_code)]

mod ahead;
mod finding;
mod hostile;
mod proving;
mod securing;

use std::{sync::Arc, time::Duration};

use super::{
    Entry, Found, Unproved,
    ldap::Ldap,
    stage::{Asked, BIND, Play, SEARCH, entry},
};
use crate::{
    config,
    deadline::Deadline,
    failure::{Failure, FailureKind},
    id::LoginId,
    secret::Secret,
};

const LOGIN: LoginId = LoginId([0x7f, 0x3a, 0x9c, 0x21]);
const PASSWORD: &str = "correct horse";
const ALICE: &str = "uid=alice,ou=people,dc=example,dc=org";

fn soon() -> Deadline {
    Deadline::within(Duration::from_secs(10))
}

/// Alice's entry, with a verified number.
fn alice() -> Vec<u8> {
    let attributes: [(&str, &[&[u8]]); 2] = [
        ("phoneNumberVerified", &[b"TRUE"]),
        ("mobile", &[b"+1 202 555 0142"]),
    ];
    entry(ALICE, &attributes)
}

/// A directory that holds Alice, and lets everybody bind.
fn good(asked: &Asked) -> Play {
    match asked.operation {
        SEARCH => asked.found(&[alice()]),
        _ => asked.answer(0),
    }
}

/// One that answers her own bind otherwise.
fn with_bind(play: impl Fn(&Asked) -> Play + Send + Sync) -> impl Fn(&Asked) -> Play + Send + Sync {
    move |asked| match asked.operation {
        BIND if asked.credentials().0 == ALICE => play(asked),
        _ => good(asked),
    }
}

fn opened(settings: &config::Ldap) -> Result<Ldap, Failure> {
    Ldap::new(&Arc::new(settings.clone()))
}

fn find(settings: &config::Ldap) -> Result<Found, Failure> {
    opened(settings)?.find("alice", soon())
}

/// A whole first factor.
fn login(settings: &config::Ldap, password: &str) -> Result<LoginId, Unproved> {
    let mut ldap = opened(settings)?;
    let Found::One(entry) = ldap.find("alice", soon())? else {
        panic!("not one entry");
    };
    let password = Secret::new(password.to_owned());
    let proved = ldap.prove(&entry, &password, LOGIN, soon())?;
    Ok(proved.proof.login())
}

fn is_outage<T>(result: &Result<T, Failure>) -> bool {
    matches!(result, Err(failure) if failure.kind == FailureKind::Outage)
}

fn is_refused<T>(result: &Result<T, Failure>) -> bool {
    matches!(result, Err(failure) if failure.kind == FailureKind::Refused)
}

fn is_unproved_outage<T>(result: &Result<T, Unproved>) -> bool {
    matches!(result, Err(Unproved::Failed(failure)) if failure.kind == FailureKind::Outage)
}
