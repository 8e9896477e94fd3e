//! `ledger.redis`: one server or several, Sentinels or a cluster.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::{USERINFO, authority, behind, is_loopback};
use crate::config::{
    RedisSite,
    values::{Leaf, Why},
};

/// Where the fleet's ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct RedisAddress {
    pub site: RedisSite,
    /// Empty only with a local socket.
    pub hosts: Vec<(String, u16)>,
    pub tls: bool,
    pub database: u32,
}

/// What a scheme says.
#[derive(Clone, Copy)]
enum Shape {
    Single,
    Sentinel,
    Cluster,
}

/// The schemes, and whether they mean TLS.
const SCHEMES: [(&str, Shape, bool); 6] = [
    ("rediss://", Shape::Single, true),
    ("rediss+sentinel://", Shape::Sentinel, true),
    ("rediss+cluster://", Shape::Cluster, true),
    ("redis://", Shape::Single, false),
    ("redis+sentinel://", Shape::Sentinel, false),
    ("redis+cluster://", Shape::Cluster, false),
];

impl Leaf for RedisAddress {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        if let Some(path) = behind("redis+unix://", &raw) {
            return Ok(Self {
                site: RedisSite::Local(socket(path)?),
                hosts: Vec::new(),
                tls: false,
                database: 0,
            });
        }
        let (rest, shape, tls) = SCHEMES
            .into_iter()
            .find_map(|(scheme, shape, tls)| Some((behind(scheme, &raw)?, shape, tls)))
            .ok_or(Why(
                "it begins with none of rediss://, rediss+sentinel://, rediss+cluster:// and redis+unix://",
            ))?;
        if rest.contains('@') {
            return Err(USERINFO);
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (names, path) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts = hosts(names, shape)?;
        if !tls && !hosts.iter().all(|(host, _)| is_loopback(host)) {
            return Err(Why(
                "redis:// would show password and counts to everybody on the way",
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

/// The path of a local socket: absolute, and no longer than `sun_path` (unix(7)).
fn socket(path: &str) -> Result<PathBuf, Why> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~+".contains(&byte);
    let is_path = path.starts_with('/') && !path.ends_with('/') && path.len() <= 107;
    Some(path)
        .filter(|path| is_path && path.bytes().all(is_plain))
        .map(PathBuf::from)
        .ok_or(Why(
            "redis+unix:// is followed by an absolute path of letters, digits and /-._~+, of at most 107 bytes",
        ))
}

/// The port of Redis, and that of its Sentinels.
const REDIS: u16 = 6379;
const SENTINEL: u16 = 26379;

/// Hosts with commas between them.
fn hosts(names: &str, shape: Shape) -> Result<Vec<(String, u16)>, Why> {
    let usual = match shape {
        Shape::Single | Shape::Cluster => REDIS,
        Shape::Sentinel => SENTINEL,
    };
    names
        .split(',')
        .map(|name| authority(name).map(|(host, port)| (host, port.unwrap_or(usual))))
        .collect()
}

/// What the path says: `DB`, `MASTER[:PORT,PORT]/DB` behind Sentinels, nothing in a cluster, which
/// has no databases but 0 (Redis cluster specification).
fn site(shape: Shape, path: &str) -> Result<(RedisSite, u32), Why> {
    match shape {
        Shape::Single => Ok((RedisSite::Single, database(path)?)),
        Shape::Sentinel => {
            let (master, rest) = path.split_once('/').unwrap_or((path, ""));
            let (master, ports) = match master.split_once(':') {
                Some((master, ports)) => (master, self::ports(ports)?),
                None => (master, vec![REDIS]),
            };
            if !is_master(master) {
                return Err(Why(
                    "behind the Sentinels stands /MASTER, the name that they know it by",
                ));
            }
            let master = master.to_owned();
            Ok((RedisSite::Sentinel { master, ports }, database(rest)?))
        }
        Shape::Cluster if path.is_empty() => Ok((RedisSite::Cluster, 0)),
        Shape::Cluster => Err(Why("nothing may follow the nodes of a cluster")),
    }
}

/// Where the Sentinels may have the master. Whoever says so is bound to these ports.
fn ports(text: &str) -> Result<Vec<u16>, Why> {
    let port = |digits: &str| {
        let all = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse().ok().filter(|port| all && *port != 0)
    };
    text.split(',')
        .map(|digits| port(digits).ok_or(Why("a port of the master is no number from 1 to 65535")))
        .collect()
}

/// What sentinel.conf allows: letters, digits and `.-_`.
fn is_master(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

fn database(text: &str) -> Result<u32, Why> {
    if text.is_empty() {
        return Ok(0);
    }
    Some(text)
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .ok_or(Why("its database is no number"))
}
