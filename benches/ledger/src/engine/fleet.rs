//! The fleet's ledger. Its place is a port on loopback.
#![forbid(unsafe_code)]

use super::{Engine, own::ask};
use sms_otp::{
    config::{Redis, RedisSite, Unreachable},
    ledger::redis::Remote,
    secret::Secret,
};
use std::ops::Range;
use std::time::Duration;

pub struct Fleet(pub Remote);

impl Engine for Fleet {
    fn open(port: &str) -> Self {
        let settled = Redis {
            site: RedisSite::Single,
            hosts: vec![("127.0.0.1".to_owned(), port.parse().expect("a port"))],
            tls: false,
            ca_file: None,
            database: 0,
            login: None,
            key: Secret::new("what the hosts of this bench hash with".to_owned()),
            timeout: Duration::from_secs(5),
            unreachable: Unreachable::Deny,
        };
        let mut remote = Remote::new(&settled).expect("a ledger");
        sms_otp::ledger::Store::begin(&mut remote);
        Self(remote)
    }

    fn fill(&mut self, people: Range<u64>) {
        for person in people {
            ask(&mut self.0, person).expect("an answer");
        }
    }

    fn decide(&mut self, person: u64) -> Result<bool, String> {
        ask(&mut self.0, person)
    }
}
