//! The shared ledger in Redis. Its path is a port on loopback.
#![forbid(unsafe_code)]

use super::{Engine, own::ask};
use sms_otp::{
    config::{Redis, RedisSite, Unreachable},
    ledger::redis::RedisStore,
    secret::Secret,
};
use std::ops::Range;
use std::time::Duration;

pub struct RedisLedger(pub RedisStore);

impl Engine for RedisLedger {
    fn open(port: &str) -> Self {
        let settled = Redis {
            site: RedisSite::Single,
            hosts: vec![("127.0.0.1".to_owned(), port.parse().expect("a port"))],
            tls: false,
            ca_file: None,
            database: 0,
            login: None,
            key: Secret::new("hash key of this bench".to_owned()),
            timeout: Duration::from_secs(5),
            unreachable: Unreachable::Deny,
        };
        Self(RedisStore::new(&settled).expect("a ledger"))
    }

    fn fill(&mut self, users: Range<u64>) {
        for user in users {
            ask(&mut self.0, user).expect("an answer");
        }
    }

    fn decide(&mut self, user: u64) -> Result<bool, String> {
        ask(&mut self.0, user)
    }
}
