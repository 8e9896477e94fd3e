//! Which server to ask, and the way to it.
#![forbid(unsafe_code)]

use std::{net::IpAddr, sync::Arc, time::Duration};

use rustls::ClientConfig;

use super::{
    Error,
    fault::{Asked, Fault, Help, printable},
    keys,
    link::{Link, Login},
    resp::{Reply, command},
};
use crate::{
    config::{self, RedisSite},
    deadline::{self, Deadline},
    net,
};

/// How often a cluster may send us on. Once is enough, unless it is being rearranged.
const MOST_MOVES: usize = 4;

/// Between two attempts, while another server takes over.
const BREATH: Duration = Duration::from_millis(100);

/// The servers, as settled.
pub struct Site {
    kind: RedisSite,
    hosts: Vec<(String, u16)>,
    /// Where others may send us: the helper's wall lets no more through.
    ports: Vec<u16>,
    tls: Option<Arc<ClientConfig>>,
    database: u32,
    login: Option<Login>,
    pub timeout: Duration,
}

impl Site {
    /// Reads the CA file: a fault of it is one of this machine.
    pub fn new(settled: &config::Redis) -> Result<Self, Error> {
        let tls = settled
            .tls
            .then(|| net::tls_config(settled.ca_file.as_ref()))
            .transpose()?;
        Ok(Self {
            kind: settled.site.clone(),
            hosts: settled.hosts.clone(),
            ports: settled.ports(),
            tls,
            database: settled.database,
            login: settled.login.clone(),
            timeout: settled.timeout,
        })
    }

    /// Whether somebody else may be master in a moment.
    pub fn fails_over(&self) -> bool {
        self.kind != RedisSite::Single
    }

    /// A connection to whoever keeps the ledger now. Where another server takes over when one dies,
    /// that takes a moment, in which the old one is still named: so it is asked again, for as long
    /// as one server may take to answer.
    pub fn open(&self, by: Deadline) -> Result<Link, Error> {
        let by = by.or_within(self.timeout);
        loop {
            match self.open_any(by) {
                Err(Error::Outage(_)) if self.fails_over() && by.left() > BREATH => {
                    deadline::sleep(BREATH);
                }
                opened => return opened,
            }
        }
    }

    /// Hosts are tried in order, and each gets its fair share of the time that is left, so that one
    /// that is silent does not keep us from the next. Of several failures one is told that does not
    /// pass by itself, else the last.
    fn open_any(&self, by: Deadline) -> Result<Link, Error> {
        let mut told = Error::Outage("no server is settled".to_owned());
        let mut still = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        for (host, port) in &self.hosts {
            let share = by.left().checked_div(still).unwrap_or_default();
            still = still.saturating_sub(1);
            match self.by_way_of(host, *port, by.or_within(share)) {
                Ok(link) => return Ok(link),
                Err(error) if matches!(told, Error::Outage(_)) => told = error,
                Err(_) => {}
            }
        }
        Err(told)
    }

    fn by_way_of(&self, host: &str, port: u16, by: Deadline) -> Result<Link, Error> {
        match &self.kind {
            RedisSite::Single => self.master(host, port, by),
            RedisSite::Sentinel { master, .. } => {
                let (host, port) = self.ask_sentinel(host, port, master, by)?;
                self.master(&host, port, by)
            }
            RedisSite::Cluster => self.node(host, port, by),
        }
    }

    /// A server that is a master. Sentinels may take a while to agree, and a master that has come
    /// back is a replica then: its own word counts
    /// (<https://redis.io/docs/latest/develop/reference/sentinel-clients/>).
    fn master(&self, host: &str, port: u16, by: Deadline) -> Result<Link, Error> {
        self.dial(host, port, by, |mut link, by| {
            let replies = link.greet(self.login.as_ref(), self.database, &[&[b"ROLE"]], by)?;
            match replies.first() {
                Some(Reply::List(role))
                    if role.first() == Some(&Reply::Text(b"master".to_vec())) =>
                {
                    Ok(link)
                }
                _ => Err(link.outage("it is not a master")),
            }
        })
    }

    /// Where the Sentinels have the master.
    fn ask_sentinel(
        &self,
        host: &str,
        port: u16,
        name: &str,
        by: Deadline,
    ) -> Result<(String, u16), Error> {
        let question: &[&[u8]] = &[b"SENTINEL", b"get-master-addr-by-name", name.as_bytes()];
        self.dial(host, port, by, |mut sentinel, by| {
            // Most Sentinels have no users, and refuse a login.
            let mut replies = sentinel.exchange(&[command(question)], by)?;
            if matches!(replies.first(), Some(Reply::Error(text)) if text.starts_with("NOAUTH")) {
                replies = sentinel.greet(self.login.as_ref(), 0, &[question], by)?;
            }
            let reply = replies.into_iter().next().unwrap_or(Reply::Nil);
            match sentinel.no_error(reply, Asked::Other)? {
                Reply::Nil => Err(sentinel.outage("it knows no master of that name")),
                reply => {
                    address(reply).ok_or_else(|| sentinel.outage("its answer is not an address"))
                }
            }
        })
    }

    /// The node that has our slot, from any node on: one that has not says which has.
    pub fn node(&self, host: &str, port: u16, by: Deadline) -> Result<Link, Error> {
        let (mut host, mut port) = (host.to_owned(), port);
        let key = keys::tally();
        let probe: &[&[u8]] = &[b"HGET", key.as_bytes(), b"span"];
        let mut told = Error::Outage("the ledger: no node has our slot".to_owned());
        for _ in 0..MOST_MOVES {
            let answer = self.dial(&host, port, by, |mut link, by| {
                match link.greet(self.login.as_ref(), 0, &[probe], by) {
                    Ok(_) => Ok(Ok(link)),
                    Err(Fault { error, help }) => match help {
                        // A slot that is on its way out is still asked for where it was.
                        Help::Ask(..) => Ok(Ok(link)),
                        Help::Moved(to, at) => Ok(Err((error, to, at))),
                        Help::Nothing | Help::Again | Help::Whole { .. } => Err(error),
                    },
                }
            })?;
            match answer {
                Ok(link) => return Ok(link),
                Err((error, to, at)) => {
                    told = error;
                    (host, port) = (to, at);
                }
            }
        }
        Err(told)
    }

    /// A node that a cluster has told us of.
    pub fn greeted(&self, host: &str, port: u16, by: Deadline) -> Result<Link, Error> {
        self.dial(host, port, by, |mut link, by| {
            link.greet(self.login.as_ref(), 0, &[], by)?;
            Ok(link)
        })
    }

    /// Connects, whoever has told us the address: to a port that is settled, and without TLS only to
    /// this machine, for nothing else may hear the password.
    fn dial<T>(
        &self,
        host: &str,
        port: u16,
        by: Deadline,
        greet: impl Fn(Link, Deadline) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if !self.ports.contains(&port) {
            return Err(Error::Refused {
                what: printable(&format!(
                    "we were sent to {host}:{port}, and ledger.redis does not name that port"
                )),
                remedy: "write a master's ports behind its name (…/MASTER:PORT,PORT), and name a \
                         node of a cluster for each port that its nodes have"
                    .to_owned(),
            });
        }
        let loopback = host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if self.tls.is_none() && !loopback {
            return Err(Error::Refused {
                what: printable(&format!(
                    "{host}:{port} is not this host, and there is no TLS"
                )),
                remedy: "use rediss:// in [ledger] redis".to_owned(),
            });
        }
        Link::open(host, port, self.tls.as_ref(), by, greet)
    }
}

/// A host and a port, as Sentinels tell them.
fn address(reply: Reply) -> Option<(String, u16)> {
    let Reply::List(parts) = reply else {
        return None;
    };
    let [Reply::Text(host), Reply::Text(port)] = parts.as_slice() else {
        return None;
    };
    let port = std::str::from_utf8(port).ok()?.parse().ok()?;
    Some((String::from_utf8(host.clone()).ok()?, port))
}
