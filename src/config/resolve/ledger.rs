//! `[ledger]`: the ledger of this host, and the one that several hosts share.
#![forbid(unsafe_code)]

use super::{
    super::{
        Error, Fault, Ledger, Redis, RedisSite, address::RedisAddress, table::LedgerKeys,
        value_types::secret::Kind,
    },
    Located, Resolver,
};
use crate::secret::Secret;

/// A shorter key could be guessed, and with it the phone numbers that were hashed.
const MIN_KEY_LENGTH: usize = 32;

impl Resolver<'_> {
    pub fn ledger(&self, keys: &LedgerKeys) -> Result<Ledger, Error> {
        let redis = match &keys.redis {
            Some(address) => Some(self.redis(address, keys)?),
            None => self.check_without_redis(keys).map(|()| None)?,
        };
        self.valid(keys.build(redis))
    }

    /// Reports the first key that has no effect without `ledger.redis`.
    fn check_without_redis(&self, keys: &LedgerKeys) -> Result<(), Error> {
        let spots = [
            keys.redis_user.as_ref().map(Located::spot),
            keys.redis_password_file.as_ref().map(Located::spot),
            keys.ca_file.as_ref().map(Located::spot),
            keys.key_file.as_ref().map(Located::spot),
            keys.timeout.as_ref().map(Located::spot),
            keys.unreachable.as_ref().map(Located::spot),
        ];
        let first = spots.into_iter().flatten().min_by_key(|(_, line)| *line);
        first.map_or(Ok(()), |spot| Err(self.requires(spot, "ledger.redis")))
    }

    fn redis(&self, address: &Located<RedisAddress>, keys: &LedgerKeys) -> Result<Redis, Error> {
        // Without a common key, each host would count for itself.
        let Some(key_file) = &keys.key_file else {
            return Err(self.requires(address.spot(), "ledger.key_file"));
        };
        let login = self.redis_login(keys)?;
        if let RedisSite::Local(path) = &address.value.site {
            let checked = self.files.socket(&path.to_string_lossy());
            checked.map_err(|why| self.error_at(address.spot(), Fault::File(why)))?;
        }
        let RedisAddress {
            site,
            hosts,
            tls,
            database,
        } = address.value.clone();
        Ok(Redis {
            site,
            hosts,
            tls,
            ca_file: self.ca_bundle(keys.ca_file.as_ref())?,
            database,
            login,
            key: self.hash_key(key_file)?,
            timeout: self.valid(keys.timeout())?,
            unreachable: self.valid(keys.unreachable())?,
        })
    }

    /// Returns the ACL user, if it is not the default one, and the password.
    fn redis_login(&self, keys: &LedgerKeys) -> Result<Option<(Option<String>, Secret)>, Error> {
        match (&keys.redis_user, &keys.redis_password_file) {
            (Some(user), None) => Err(self.requires(user.spot(), "ledger.redis_password_file")),
            (user, Some(file)) => {
                let password = self.secret_file(file, Kind::Line)?;
                Ok(Some((
                    user.as_ref().map(|user| user.value.clone()),
                    password,
                )))
            }
            (None, None) => Ok(None),
        }
    }

    /// Reads the key with which all hosts hash phone numbers and names.
    fn hash_key(&self, file: &Located<String>) -> Result<Secret, Error> {
        let key = self.secret_file(file, Kind::Line)?;
        if key.reveal().chars().count() >= MIN_KEY_LENGTH {
            return Ok(key);
        }
        let allowed = "one line of at least 32 characters, the same on all hosts";
        Err(self.content(file, "the key is too short", allowed))
    }
}
