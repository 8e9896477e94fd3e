//! Which server to ask, and the way to it.
#![forbid(unsafe_code)]

use std::{net::IpAddr, sync::Arc, thread, time::Duration};

use rustls::ClientConfig;

use super::{
    fault::{Asked, Fault, Help, connection, is_outage, outage, printable, refused},
    keys,
    link::{Link, Login},
    resp::{Reply, command},
};
use crate::{
    config::{self, RedisSite},
    deadline::Deadline,
    failure::Failure,
    net::{self, Addresses, Lookup, Lookups},
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
    pub fn new(settled: &config::Redis) -> Result<Self, Failure> {
        let tls = settled
            .tls
            .then(|| net::tls_config(settled.ca_file.as_ref()))
            .transpose()
            .map_err(connection)?;
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
        match self.kind {
            RedisSite::Sentinel { .. } | RedisSite::Cluster => true,
            RedisSite::Single | RedisSite::Local(_) => false,
        }
    }

    /// Begins to look up the names of all servers.
    pub fn look_up(&self) -> Lookups {
        if let RedisSite::Local(_) = self.kind {
            return Lookups::begin([None]);
        }
        let hosts = self.hosts.iter();
        Lookups::begin(hosts.map(|(host, port)| Some((host.as_str(), *port))))
    }

    /// A connection to whoever keeps the ledger now. Where another server takes over when one dies,
    /// that takes a moment, in which the old one is still named: so it is asked again, for as long
    /// as one server may take to answer.
    ///
    /// Hosts are tried in order, and each gets its fair share of the time that is left, so that one
    /// that is silent does not keep us from the next. Of several failures one is told that does not
    /// pass by itself, else the last.
    pub fn open(&self, mut lookups: Lookups, end: Deadline) -> Result<Link, Failure> {
        if let RedisSite::Local(path) = &self.kind {
            let by = end.or_within(self.timeout);
            return Ok(self.if_master(Link::open_local(path, by)?, by)?);
        }
        let limit = net::lookup_limit(self.timeout, end);
        let mut left = self.timeout;
        let mut to_go = self.hosts.len();
        let mut told = outage("no server is settled");
        let mut known = Vec::new();
        while let Some((_, addresses)) = lookups.next(limit) {
            let link = addresses.map_err(connection).and_then(|at| {
                let link = self.by_way_of(&at, &mut left, to_go, end);
                known.push(at);
                link
            });
            match link {
                Ok(link) => return Ok(link),
                Err(error) if is_outage(&told) => told = error,
                Err(_) => {}
            }
            to_go = to_go.saturating_sub(1);
        }
        while self.fails_over()
            && !known.is_empty()
            && is_outage(&told)
            && left.min(end.left()) > BREATH
        {
            thread::sleep(BREATH);
            left = left.saturating_sub(BREATH);
            for (at, to_go) in known.iter().zip((1..=known.len()).rev()) {
                match self.by_way_of(at, &mut left, to_go, end) {
                    Ok(link) => return Ok(link),
                    Err(error) if is_outage(&told) => told = error,
                    Err(_) => {}
                }
            }
        }
        Err(told)
    }

    /// By one of so many hosts, with its share of what is left of the time for connecting.
    fn by_way_of(
        &self,
        at: &Addresses,
        left: &mut Duration,
        to_go: usize,
        end: Deadline,
    ) -> Result<Link, Failure> {
        let parts = u32::try_from(to_go).unwrap_or(u32::MAX);
        let share = left.checked_div(parts).unwrap_or_default();
        let mut time = self.time(share, end);
        let link = match &self.kind {
            RedisSite::Single | RedisSite::Local(_) => self.master(at, &time),
            RedisSite::Sentinel { master, .. } => {
                let told = self.ask_sentinel(at, master, &time);
                told.and_then(|(host, port)| self.look_up_told(&host, port, &mut time))
                    .and_then(|at| self.master(&at, &time))
            }
            RedisSite::Cluster => self.node_from(at.clone(), &mut time),
        };
        *left = left.saturating_sub(share.saturating_sub(time.by.left()));
        link
    }

    fn time(&self, share: Duration, end: Deadline) -> Time {
        Time {
            by: end.or_within(share),
            end,
            timeout: self.timeout,
        }
    }

    /// A server that is a master. Sentinels may take a while to agree, and a master that has come
    /// back is a replica then: its own word counts
    /// (<https://redis.io/docs/latest/develop/reference/sentinel-clients/>).
    fn master(&self, at: &Addresses, time: &Time) -> Result<Link, Failure> {
        self.dial(at, time, |link, by| self.if_master(link, by))
    }

    fn if_master(&self, mut link: Link, by: Deadline) -> Result<Link, Fault> {
        let replies = link.greet(self.login.as_ref(), self.database, &[&[b"ROLE"]], by)?;
        match replies.first() {
            Some(Reply::List(role)) if role.first() == Some(&Reply::Text(b"master".to_vec())) => {
                Ok(link)
            }
            _ => Err(link.outage("it is not a master").into()),
        }
    }

    /// Where the Sentinels have the master.
    fn ask_sentinel(
        &self,
        at: &Addresses,
        name: &str,
        time: &Time,
    ) -> Result<(String, u16), Failure> {
        let question: &[&[u8]] = &[b"SENTINEL", b"get-master-addr-by-name", name.as_bytes()];
        self.dial(at, time, |mut sentinel, by| {
            // Most Sentinels have no users, and refuse a login.
            let mut replies = sentinel.exchange(&[command(question)], by)?;
            if matches!(replies.first(), Some(Reply::Error(text)) if text.starts_with("NOAUTH")) {
                replies = sentinel.greet(self.login.as_ref(), 0, &[question], by)?;
            }
            let reply = replies.into_iter().next().unwrap_or(Reply::Nil);
            match sentinel.no_error(reply, Asked::Other)? {
                Reply::Nil => Err(sentinel.outage("it knows no master of that name").into()),
                reply => address(reply)
                    .ok_or_else(|| sentinel.outage("its answer is not an address").into()),
            }
        })
    }

    /// The node that has our slot, from any node on: one that has not says which has.
    pub fn node(&self, host: &str, port: u16, end: Deadline) -> Result<Link, Failure> {
        let mut time = self.time(self.timeout, end);
        let at = self.look_up_told(host, port, &mut time)?;
        self.node_from(at, &mut time)
    }

    fn node_from(&self, mut at: Addresses, time: &mut Time) -> Result<Link, Failure> {
        let key = keys::tally();
        let probe: &[&[u8]] = &[b"HGET", key.as_bytes(), b"span"];
        let mut told = outage("the ledger: no node has our slot");
        for _ in 0..MOST_MOVES {
            let answer = self.dial(&at, time, |mut link, by| {
                match link.greet(self.login.as_ref(), 0, &[probe], by) {
                    Ok(_) => Ok(Ok(link)),
                    Err(Fault { error, help }) => match help {
                        // A slot that is on its way out is still asked for where it was.
                        Help::Ask(..) => Ok(Ok(link)),
                        Help::Moved(host, port) => Ok(Err((error, host, port))),
                        Help::Nothing | Help::Again | Help::Whole { .. } => {
                            Err(Fault::lasting(error))
                        }
                    },
                }
            })?;
            match answer {
                Ok(link) => return Ok(link),
                Err((error, host, port)) => {
                    told = error;
                    at = self.look_up_told(&host, port, time)?;
                }
            }
        }
        Err(told)
    }

    /// A node that a cluster has told us of.
    pub fn greeted(&self, host: &str, port: u16, end: Deadline) -> Result<Link, Failure> {
        let mut time = self.time(self.timeout, end);
        let at = self.look_up_told(host, port, &mut time)?;
        self.dial(&at, &time, |mut link, by| {
            link.greet(self.login.as_ref(), 0, &[], by)?;
            Ok(link)
        })
    }

    /// The addresses of a host that another server has named.
    fn look_up_told(&self, host: &str, port: u16, time: &mut Time) -> Result<Addresses, Failure> {
        self.check(host, port)?;
        time.look_up(host, port)
    }

    /// Whether we may connect there, whoever has told us the address: to a port that is settled, and
    /// without TLS only to this machine, for nothing else may hear the password.
    fn check(&self, host: &str, port: u16) -> Result<(), Failure> {
        if !self.ports.contains(&port) {
            let what =
                format!("we were sent to {host}:{port}, and ledger.redis does not name that port");
            let remedy = "write a master's ports behind its name (…/MASTER:PORT,PORT), and name a \
                          node of a cluster for each port that its nodes have";
            return Err(refused(printable(&what), remedy));
        }
        let loopback = host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if self.tls.is_none() && !loopback {
            let what = format!("{host}:{port} is not this host, and there is no TLS");
            return Err(refused(printable(&what), "use rediss:// in [ledger] redis"));
        }
        Ok(())
    }

    fn dial<T>(
        &self,
        at: &Addresses,
        time: &Time,
        greet: impl Fn(Link, Deadline) -> Result<T, Fault>,
    ) -> Result<T, Failure> {
        self.check(at.host(), at.port())?;
        Ok(Link::open(at, self.tls.as_ref(), time.by, greet)?)
    }
}

/// What is left of the time for connecting. It does not run during name lookups, which have a limit of
/// their own.
struct Time {
    by: Deadline,
    /// Of the login.
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
