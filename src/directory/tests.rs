//! Whole exchanges with a fake server, byte by byte.
#![forbid(unsafe_code)]

mod background;
mod binding;
mod finding;
mod hostile;
mod tls;

use std::{sync::Arc, time::Duration};

use super::{
    Entry, Found, PasswordError,
    ldap::Ldap,
    ldap_server::{BIND, Request, Response, SEARCH, entry},
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

fn in_time() -> Deadline {
    Deadline::within(Duration::from_secs(10))
}

/// The entry of Alice, with a verified number.
fn alice() -> Vec<u8> {
    let attributes: [(&str, &[&[u8]]); 2] = [
        ("phoneNumberVerified", &[b"TRUE"]),
        ("mobile", &[b"+1 202 555 0142"]),
    ];
    entry(ALICE, &attributes)
}

/// Has the entry of Alice, and accepts every bind.
fn good(request: &Request) -> Response {
    match request.operation {
        SEARCH => request.entries(&[alice()]),
        _ => request.result(0),
    }
}

/// As [`good`], with another response to the bind as Alice.
fn with_bind(
    response: impl Fn(&Request) -> Response + Send + Sync,
) -> impl Fn(&Request) -> Response + Send + Sync {
    move |request| match request.operation {
        BIND if request.credentials().0 == ALICE => response(request),
        _ => good(request),
    }
}

fn opened(settings: &config::Ldap) -> Result<Ldap, Failure> {
    Ldap::new(&Arc::new(settings.clone()))
}

fn find(settings: &config::Ldap) -> Result<Found, Failure> {
    opened(settings)?.find("alice", in_time())
}

/// Finds Alice and verifies this password.
fn login(settings: &config::Ldap, password: &str) -> Result<LoginId, PasswordError> {
    let mut ldap = opened(settings)?;
    let Found::One(entry) = ldap.find("alice", in_time())? else {
        panic!("not one entry");
    };
    let password = Secret::new(password.to_owned());
    let verified = ldap.verify_password(&entry, &password, LOGIN, in_time())?;
    Ok(verified.proof.login())
}

fn is_outage<T>(result: &Result<T, Failure>) -> bool {
    matches!(result, Err(failure) if failure.kind == FailureKind::Outage)
}

fn is_refused<T>(result: &Result<T, Failure>) -> bool {
    matches!(result, Err(failure) if failure.kind == FailureKind::Refused)
}

fn is_password_outage<T>(result: &Result<T, PasswordError>) -> bool {
    matches!(result, Err(PasswordError::Failed(failure)) if failure.kind == FailureKind::Outage)
}
