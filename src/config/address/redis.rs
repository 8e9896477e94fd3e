//! `ledger.redis`: one server or several, Sentinels or a cluster.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::{USERINFO, authority, is_loopback, strip_scheme};
use crate::config::{
    RedisSite,
    value_types::{Invalid, ValueType},
};

/// The address of the shared ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisAddress {
    pub site: RedisSite,
    /// Empty only with a local socket.
    pub hosts: Vec<(String, u16)>,
    pub tls: bool,
    pub database: u32,
}

/// What the hosts are.
#[derive(Clone, Copy)]
enum Shape {
    Single,
    Sentinel,
    Cluster,
}

/// The schemes: what the hosts are, and whether TLS is used.
const SCHEMES: [(&str, Shape, bool); 6] = [
    ("rediss://", Shape::Single, true),
    ("rediss+sentinel://", Shape::Sentinel, true),
    ("rediss+cluster://", Shape::Cluster, true),
    ("redis://", Shape::Single, false),
    ("redis+sentinel://", Shape::Sentinel, false),
    ("redis+cluster://", Shape::Cluster, false),
];

impl ValueType for RedisAddress {
    type Raw = String;
    type Value = Self;

    fn allowed() -> String {
        "in quotes rediss://HOST[:PORT][/DB], rediss+sentinel://HOST[:PORT]/MASTER[:PORT][/DB] or \
         rediss+cluster://HOST[:PORT], with several hosts separated by commas (redis without the second \
         s for loopback hosts only), or redis+unix:///PATH"
            .into()
    }

    fn parse(raw: String) -> Result<Self, Invalid> {
        if let Some(path) = strip_scheme("redis+unix://", &raw) {
            return Ok(Self {
                site: RedisSite::Local(socket(path)?),
                hosts: Vec::new(),
                tls: false,
                database: 0,
            });
        }
        let (rest, shape, tls) = SCHEMES
            .into_iter()
            .find_map(|(scheme, shape, tls)| Some((strip_scheme(scheme, &raw)?, shape, tls)))
            .ok_or(Invalid(
                "the address begins with none of rediss://, rediss+sentinel://, rediss+cluster:// and redis+unix://",
            ))?;
        if rest.contains('@') {
            return Err(USERINFO);
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (names, path) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts = hosts(names, shape)?;
        if !tls && !hosts.iter().all(|(host, _)| is_loopback(host)) {
            return Err(Invalid(
                "redis:// would send password and counts unencrypted",
            ));
        }
        let (site, database) = site(shape, path)?;
        Ok(Self {
            site,
            hosts,
            tls,
            database,
        })
    }
}

/// Parses the path of a local socket: absolute, and not longer than `sun_path` (unix(7)).
fn socket(path: &str) -> Result<PathBuf, Invalid> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~+".contains(&byte);
    let is_path = path.starts_with('/') && !path.ends_with('/') && path.len() <= 107;
    Some(path)
        .filter(|path| is_path && path.bytes().all(is_plain))
        .map(PathBuf::from)
        .ok_or(Invalid(
            "after redis+unix://, an absolute path of letters, digits and /-._~+ is required, with at most 107 bytes",
        ))
}

/// The default port of Redis.
const REDIS_PORT: u16 = 6379;

/// The default port of Sentinels.
const SENTINEL_PORT: u16 = 26379;

/// Parses hosts that are separated by commas.
fn hosts(names: &str, shape: Shape) -> Result<Vec<(String, u16)>, Invalid> {
    let default = match shape {
        Shape::Single | Shape::Cluster => REDIS_PORT,
        Shape::Sentinel => SENTINEL_PORT,
    };
    names
        .split(',')
        .map(|name| authority(name).map(|(host, port)| (host, port.unwrap_or(default))))
        .collect()
}

/// Parses the path: `DB` after servers, `MASTER[:PORT,PORT]/DB` after Sentinels, nothing after a cluster,
/// which has no database but 0 (Redis cluster specification).
fn site(shape: Shape, path: &str) -> Result<(RedisSite, u32), Invalid> {
    match shape {
        Shape::Single => Ok((RedisSite::Single, database(path)?)),
        Shape::Sentinel => {
            let (master, rest) = path.split_once('/').unwrap_or((path, ""));
            let (master, ports) = match master.split_once(':') {
                Some((master, ports)) => (master, self::ports(ports)?),
                None => (master, vec![REDIS_PORT]),
            };
            if !is_master(master) {
                return Err(Invalid(
                    "after the Sentinels, /MASTER is required, the name of the master",
                ));
            }
            let master = master.to_owned();
            Ok((RedisSite::Sentinel { master, ports }, database(rest)?))
        }
        Shape::Cluster if path.is_empty() => Ok((RedisSite::Cluster, 0)),
        Shape::Cluster => Err(Invalid("nothing is allowed after the nodes of a cluster")),
    }
}

/// Parses the ports of masters. The sandbox allows no other ports, whatever a Sentinel reports.
fn ports(text: &str) -> Result<Vec<u16>, Invalid> {
    let port = |digits: &str| {
        let all = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse().ok().filter(|port| all && *port != 0)
    };
    text.split(',')
        .map(|digits| {
            port(digits).ok_or(Invalid(
                "a port of the master is not a number from 1 to 65535",
            ))
        })
        .collect()
}

/// Whether sentinel.conf allows a name: letters, digits and `.-_`.
fn is_master(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

fn database(text: &str) -> Result<u32, Invalid> {
    if text.is_empty() {
        return Ok(0);
    }
    Some(text)
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .ok_or(Invalid("the database is not a number"))
}
