//! `[limits]` and `[ledger]`: what one may use up, and where it is kept.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{
    super::{
        Error, Fault, Ledger, Limits, Redis, RedisSite, Rule, Unreachable,
        address::RedisAddress,
        draft::{self, At, Layers},
        values::{FilePath, secret::Kind},
    },
    Desk, Kept,
};
use crate::secret::Secret;

/// Fewer characters could be guessed, and with them the numbers that were hashed.
const KEY: usize = 32;

pub fn limits(layers: Layers<'_>) -> Limits {
    let rule = |most, seconds| Rule {
        most,
        within: Duration::from_secs(seconds),
    };
    Limits {
        sms: layers
            .value(|own| &own.sms)
            .map_or_else(|| vec![rule(5, 900), rule(20, 86400)], |rates| rates.0),
        sms_total: layers.value(|own| &own.sms_total).map(|rate| rate.0),
        pause: layers
            .value(|own| &own.pause)
            .map_or(Duration::from_secs(30), |pause| pause.0),
        failures: layers.value(|own| &own.failures).map_or(10, |most| most.0),
        lock: layers
            .value(|own| &own.lock)
            .map_or(Duration::from_secs(900), |lock| lock.0),
        disable_after: layers
            .value(|own| &own.disable_after)
            .map_or(100, |most| most.0),
        allowed_prefixes: layers
            .value(|own| &own.allowed_prefixes)
            .map_or_else(Vec::new, |prefixes| prefixes.0),
    }
}

impl Desk<'_> {
    pub fn ledger(&self, mut ledger: draft::Ledger) -> Result<Ledger, Error> {
        let path = ledger
            .path
            .take()
            .map_or_else(|| "/var/lib/pam_sms_otp".into(), |at| at.value.0);
        let redis = match ledger.redis.take() {
            Some(at) => Some(self.redis(at, ledger)?),
            None => self.without_redis(&ledger).map(|()| None)?,
        };
        Ok(Ledger { path, redis })
    }

    /// Keys that say nothing of a ledger on this host: blames the first.
    fn without_redis(&self, ledger: &draft::Ledger) -> Result<(), Error> {
        let spots = [
            ledger.redis_user.as_ref().map(At::spot),
            ledger.redis_password_file.as_ref().map(At::spot),
            ledger.ca_file.as_ref().map(At::spot),
            ledger.key_file.as_ref().map(At::spot),
            ledger.timeout.as_ref().map(At::spot),
            ledger.unreachable.as_ref().map(At::spot),
        ];
        let first = spots.into_iter().flatten().min_by_key(|(_, line)| *line);
        first.map_or(Ok(()), |spot| {
            let other = "ledger.redis";
            Err(self.at(spot, Fault::Without { other }))
        })
    }

    fn redis(&self, at: At<RedisAddress>, ledger: draft::Ledger) -> Result<Redis, Error> {
        // Without one key for all, each host would count for itself.
        let Some(key) = ledger.key_file else {
            let other = "ledger.key_file";
            return Err(self.at(at.spot(), Fault::Without { other }));
        };
        let login = match (ledger.redis_user, ledger.redis_password_file) {
            (Some(user), None) => {
                let other = "ledger.redis_password_file";
                return Err(self.at(user.spot(), Fault::Without { other }));
            }
            (user, Some(file)) => {
                let password = self.open(Kept::File(file), Kind::Line)?;
                Some((user.map(|at| at.value.0), password))
            }
            (None, None) => None,
        };
        if let RedisSite::Local(path) = &at.value.site {
            let path = path.to_string_lossy();
            let checked = self.files.socket(&path);
            checked.map_err(|why| self.at(at.spot(), Fault::File(why)))?;
        }
        let RedisAddress {
            site,
            hosts,
            tls,
            database,
        } = at.value;
        Ok(Redis {
            site,
            hosts,
            tls,
            ca_file: self.bundle(ledger.ca_file)?,
            database,
            login,
            key: self.fleet_key(&key)?,
            timeout: ledger
                .timeout
                .map_or(Duration::from_secs(2), |at| at.value.0),
            unreachable: ledger.unreachable.map_or(Unreachable::Local, |at| at.value),
        })
    }

    /// What phones and names are hashed with, by all hosts of the fleet.
    fn fleet_key(&self, at: &At<FilePath>) -> Result<Secret, Error> {
        let key = self.open(Kept::File(at.clone()), Kind::Line)?;
        if key.reveal().chars().count() >= KEY {
            return Ok(key);
        }
        let why = "its line is too short for a key";
        let allowed = "one line of at least 32 characters, the same on all hosts";
        Err(self.content(at, why, allowed))
    }
}
