//! The servers of the shared ledger: finds the one to use, and connects to it.
#![forbid(unsafe_code)]

use std::{net::IpAddr, sync::Arc, thread, time::Duration};

use rustls::ClientConfig;

use super::{
    connection::{Connection, Credentials},
    fault::{
        CommandKind, Fault, RetryAdvice, connection, is_outage, needs_tls, outage, port_not_listed,
    },
    keys,
    resp::{Reply, encode_command},
};
use crate::{
    config::{self, RedisSite},
    deadline::Deadline,
    failure::Failure,
    net::{self, Addresses, Lookup, Lookups},
};

/// The maximum number of nodes that are asked for the hash slot. Two are enough, unless the cluster is being
/// rearranged.
const MAX_NODES: usize = 4;

/// The pause between two attempts during a failover.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// The servers in the settings.
pub(super) struct Topology {
    kind: RedisSite,
    hosts: Vec<(String, u16)>,
    /// The ports of redirections; the helper's sandbox allows no others.
    ports: Vec<u16>,
    tls: Option<Arc<ClientConfig>>,
    database: u32,
    credentials: Option<Credentials>,
    pub(super) timeout: Duration,
}

impl Topology {
    /// Reads the CA file; an invalid one is a local failure.
    pub(super) fn new(settings: &config::Redis) -> Result<Self, Failure> {
        let tls = settings
            .tls
            .then(|| net::tls_config(settings.ca_file.as_ref()))
            .transpose()
            .map_err(connection)?;
        Ok(Self {
            kind: settings.site.clone(),
            hosts: settings.hosts.clone(),
            ports: settings.ports(),
            tls,
            database: settings.database,
            credentials: settings.login.clone(),
            timeout: settings.timeout,
        })
    }

    /// Whether another server can become the master.
    pub(super) fn has_failover(&self) -> bool {
        match self.kind {
            RedisSite::Sentinel { .. } | RedisSite::Cluster => true,
            RedisSite::Single | RedisSite::Local(_) => false,
        }
    }

    /// Begins the name lookups of all servers.
    pub(super) fn look_up(&self) -> Lookups {
        if let RedisSite::Local(_) = self.kind {
            return Lookups::begin([None]);
        }
        let hosts = self.hosts.iter();
        Lookups::begin(hosts.map(|(host, port)| Some((host.as_str(), *port))))
    }

    /// Connects to the current master. During a failover the old master is still named for a while, so
    /// failed attempts are repeated until the timeout.
    ///
    /// Hosts are tried in order. Each gets its share of the remaining time, so that a silent one does not
    /// prevent the next. Of several failures, returns the first one that is not an outage, or else the last.
    pub(super) fn open(&self, mut lookups: Lookups, end: Deadline) -> Result<Connection, Failure> {
        if let RedisSite::Local(path) = &self.kind {
            let by = end.or_within(self.timeout);
            return Ok(self.require_master(Connection::open_local(path, by)?, by)?);
        }
        let limit = net::lookup_limit(self.timeout, end);
        let mut attempts = Attempts {
            left: self.timeout,
            failure: outage("no server is configured"),
        };
        let mut found = Vec::new();
        let mut hosts = self.hosts.len();
        while let Some((_, addresses)) = lookups.next(limit) {
            match addresses {
                Ok(addresses) => {
                    let opened = self.open_host(&addresses, &mut attempts, hosts, end);
                    if let Some(connection) = opened {
                        return Ok(connection);
                    }
                    found.push(addresses);
                }
                Err(error) => attempts.record(connection(error)),
            }
            hosts = hosts.saturating_sub(1);
        }
        while self.has_failover() && !found.is_empty() && attempts.may_repeat(end) {
            thread::sleep(RETRY_PAUSE);
            attempts.left = attempts.left.saturating_sub(RETRY_PAUSE);
            for (addresses, hosts) in found.iter().zip((1..=found.len()).rev()) {
                let opened = self.open_host(addresses, &mut attempts, hosts, end);
                if let Some(connection) = opened {
                    return Ok(connection);
                }
            }
        }
        Err(attempts.failure)
    }

    /// Connects through one of the remaining hosts, with its share of the time that is left.
    fn open_host(
        &self,
        addresses: &Addresses,
        attempts: &mut Attempts,
        hosts: usize,
        end: Deadline,
    ) -> Option<Connection> {
        let shares = u32::try_from(hosts).unwrap_or(u32::MAX);
        let share = attempts.left.checked_div(shares).unwrap_or_default();
        let mut time = self.time(share, end);
        let opened = match &self.kind {
            RedisSite::Single | RedisSite::Local(_) => self.open_master(addresses, &time),
            RedisSite::Sentinel { master, .. } => self
                .ask_sentinel(addresses, master, &time)
                .and_then(|(host, port)| self.look_up_target(&host, port, &mut time))
                .and_then(|addresses| self.open_master(&addresses, &time)),
            RedisSite::Cluster => self.find_node(addresses.clone(), &mut time),
        };
        let used = share.saturating_sub(time.by.left());
        attempts.left = attempts.left.saturating_sub(used);
        opened.map_err(|failure| attempts.record(failure)).ok()
    }

    fn time(&self, share: Duration, end: Deadline) -> Time {
        Time {
            by: end.or_within(share),
            end,
            timeout: self.timeout,
        }
    }

    /// Connects to a server, which has to be a master. Sentinels may need a while to agree on a new one, and
    /// a master that comes back becomes a replica: its own reply counts
    /// (<https://redis.io/docs/latest/develop/reference/sentinel-clients/>).
    fn open_master(&self, addresses: &Addresses, time: &Time) -> Result<Connection, Failure> {
        self.connect(addresses, time, |connection, by| {
            self.require_master(connection, by)
        })
    }

    fn require_master(
        &self,
        mut connection: Connection,
        by: Deadline,
    ) -> Result<Connection, Fault> {
        let role: &[&[u8]] = &[b"ROLE"];
        let credentials = self.credentials.as_ref();
        let replies = connection.handshake(credentials, self.database, &[role], by)?;
        match replies.first() {
            Some(Reply::List(role)) if role.first() == Some(&Reply::Text(b"master".to_vec())) => {
                Ok(connection)
            }
            _ => Err(connection.outage("this server is not a master").into()),
        }
    }

    /// Asks a Sentinel for the master's address.
    fn ask_sentinel(
        &self,
        addresses: &Addresses,
        name: &str,
        time: &Time,
    ) -> Result<(String, u16), Failure> {
        let get: &[&[u8]] = &[b"SENTINEL", b"get-master-addr-by-name", name.as_bytes()];
        self.connect(addresses, time, |mut sentinel, by| {
            // Most Sentinels have no users, and refuse authentication.
            let mut replies = sentinel.exchange(&[encode_command(get)], by)?;
            if matches!(replies.first(), Some(Reply::Error(text)) if text.starts_with("NOAUTH")) {
                replies = sentinel.handshake(self.credentials.as_ref(), 0, &[get], by)?;
            }
            let reply = replies.into_iter().next().unwrap_or(Reply::Nil);
            match sentinel.check(reply, CommandKind::Other)? {
                Reply::Nil => Err(sentinel.outage("unknown master name").into()),
                reply => parse_address(reply).ok_or_else(|| {
                    sentinel
                        .outage("the Sentinel's reply is not an address")
                        .into()
                }),
            }
        })
    }

    /// Connects to the node that serves the hash slot, starting at this one.
    pub(super) fn open_node(
        &self,
        host: &str,
        port: u16,
        end: Deadline,
    ) -> Result<Connection, Failure> {
        let mut time = self.time(self.timeout, end);
        let addresses = self.look_up_target(host, port, &mut time)?;
        self.find_node(addresses, &mut time)
    }

    /// Follows redirections to the node that serves the hash slot.
    fn find_node(&self, mut addresses: Addresses, time: &mut Time) -> Result<Connection, Failure> {
        let key = keys::tally();
        let probe: &[&[u8]] = &[b"HGET", key.as_bytes(), b"span"];
        let mut last = outage("the ledger: no node serves our hash slot");
        for _ in 0..MAX_NODES {
            let answer = self.connect(&addresses, time, |mut connection, by| {
                match connection.handshake(self.credentials.as_ref(), 0, &[probe], by) {
                    Ok(_) => Ok(Ok(connection)),
                    Err(fault) => match fault.advice {
                        // A node that exports its slot still replies to requests.
                        RetryAdvice::Ask(..) => Ok(Ok(connection)),
                        RetryAdvice::Moved(host, port) => Ok(Err((fault.failure, host, port))),
                        _ => Err(fault.failure.into()),
                    },
                }
            })?;
            match answer {
                Ok(connection) => return Ok(connection),
                Err((failure, host, port)) => {
                    last = failure;
                    addresses = self.look_up_target(&host, port, time)?;
                }
            }
        }
        Err(last)
    }

    /// Connects to a node that imports the hash slot.
    pub(super) fn open_importing_node(
        &self,
        host: &str,
        port: u16,
        end: Deadline,
    ) -> Result<Connection, Failure> {
        let mut time = self.time(self.timeout, end);
        let addresses = self.look_up_target(host, port, &mut time)?;
        self.connect(&addresses, &time, |mut connection, by| {
            connection.handshake(self.credentials.as_ref(), 0, &[], by)?;
            Ok(connection)
        })
    }

    /// Looks up a host that another server has named.
    fn look_up_target(&self, host: &str, port: u16, time: &mut Time) -> Result<Addresses, Failure> {
        self.check_target(host, port)?;
        time.look_up(host, port)
    }

    /// Checks a target that the settings or another server have named: its port has to be in the settings,
    /// and without TLS it has to be this host, because the password is sent to it.
    fn check_target(&self, host: &str, port: u16) -> Result<(), Failure> {
        if !self.ports.contains(&port) {
            return Err(port_not_listed(host, port));
        }
        let is_loopback = host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if self.tls.is_none() && !is_loopback {
            return Err(needs_tls(host, port));
        }
        Ok(())
    }

    fn connect<T>(
        &self,
        addresses: &Addresses,
        time: &Time,
        handshake: impl Fn(Connection, Deadline) -> Result<T, Fault>,
    ) -> Result<T, Failure> {
        self.check_target(addresses.host(), addresses.port())?;
        let tls = self.tls.as_ref();
        Ok(Connection::open(addresses, tls, time.by, handshake)?)
    }
}

/// The attempts to connect so far.
struct Attempts {
    /// The time that is left for connecting.
    left: Duration,
    /// The failure to return if no attempt succeeds.
    failure: Failure,
}

impl Attempts {
    fn record(&mut self, failure: Failure) {
        if is_outage(&self.failure) {
            self.failure = failure;
        }
    }

    fn may_repeat(&self, end: Deadline) -> bool {
        is_outage(&self.failure) && self.left.min(end.left()) > RETRY_PAUSE
    }
}

/// The time for connecting. It does not run during name lookups, which have their own limit.
struct Time {
    by: Deadline,
    /// The deadline of the login.
    end: Deadline,
    timeout: Duration,
}

impl Time {
    fn look_up(&mut self, host: &str, port: u16) -> Result<Addresses, Failure> {
        let left = self.by.left();
        let limit = net::lookup_limit(self.timeout, self.end);
        let found = Lookup::begin(host, port).wait(limit);
        self.by = self.end.or_within(left);
        found.map_err(connection)
    }
}

/// Parses a Sentinel's address: host and port.
fn parse_address(reply: Reply) -> Option<(String, u16)> {
    let Reply::List(parts) = reply else {
        return None;
    };
    let [Reply::Text(host), Reply::Text(port)] = parts.as_slice() else {
        return None;
    };
    let port = std::str::from_utf8(port).ok()?.parse().ok()?;
    Some((String::from_utf8(host.clone()).ok()?, port))
}
