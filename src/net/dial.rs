//! Opening: names to addresses, addresses to sockets, all before a deadline.
#![forbid(unsafe_code)]

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    path::Path,
    sync::mpsc,
    thread,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType,
        sockopt::{Timeout, set_socket_timeout},
    },
};

use super::{Error, place, printable};
use crate::deadline::Deadline;

/// Addresses of one name that are tried. More are somebody's joke.
const MOST_ADDRESSES: usize = 16;

/// Stack of the thread that looks a name up: NSS modules (sss, resolve, mdns) run on it.
/// Explicit, because `RUST_MIN_STACK` would otherwise have a say.
const LOOK_UP_STACK: usize = 512 * 1024;

/// Opens a TCP connection (`TCP_NODELAY`) to the first address of `host` that answers.
///
/// `host` is a name or an address, IPv6 without brackets. Each address gets its fair share of the
/// time that is left, so that one that swallows packets does not keep us from the next.
pub fn dial(host: &str, port: u16, by: Deadline) -> Result<TcpStream, Error> {
    let place = place(host, port);
    let addresses = addresses(host, port, &place, by)?;
    connect_any(&addresses, &place, by)
}

/// The first of `addresses` that answers. Of several failures a local one is told, else the last.
fn connect_any(addresses: &[SocketAddr], place: &str, by: Deadline) -> Result<TcpStream, Error> {
    let mut failure = Error::Outage(format!("{place}: no address"));
    let mut still = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let share = by.left().checked_div(still).unwrap_or_default();
        still = still.saturating_sub(1);
        let tried = if share.is_zero() {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            TcpStream::connect_timeout(address, share)
        };
        let error = match tried.and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp)) {
            Ok(tcp) => return Ok(tcp),
            Err(error) => error,
        };
        let says_little = is_no_such_loopback(address, &error) && addresses.len() > 1;
        if !says_little && !matches!(failure, Error::Local(_)) {
            failure = told(address, place, &error);
        }
    }
    Err(failure)
}

/// A failed connect, told with the address where that says more than the host does.
fn told(address: &SocketAddr, host: &str, error: &io::Error) -> Error {
    let shown = address.to_string();
    let place = if shown == host {
        shown
    } else {
        format!("{host} ({})", address.ip())
    };
    if is_no_such_loopback(address, error) {
        return Error::Outage(format!("{place}: {error}"));
    }
    Error::io(&place, error)
}

/// With IPv6 switched off "localhost" still stands for `::1` too. Connecting to it fails so, and
/// that says nothing about this machine's health.
fn is_no_such_loopback(address: &SocketAddr, error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::ADDRNOTAVAIL)
        && address.is_ipv6()
        && address.ip().is_loopback()
}

/// What `host` stands for. Asks nobody when it is an address already, or this machine's own name.
fn addresses(host: &str, port: u16, place: &str, by: Deadline) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if host.eq_ignore_ascii_case("localhost") {
        // The settings let this name go without TLS, so no name service says what it stands for
        // (RFC 6761 section 6.3).
        return Ok(vec![
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port),
            SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port),
        ]);
    }
    let name = host.to_owned();
    let answer = within(by, move || {
        (name.as_str(), port)
            .to_socket_addrs()
            .map(|found| found.take(MOST_ADDRESSES).collect::<Vec<_>>())
    })
    .map_err(|error| Error::Local(format!("{place}: no thread for the name look-up: {error}")))?;
    match answer {
        None => Err(Error::Outage(format!("{place}: name look-up timed out"))),
        Some(Ok(found)) if found.is_empty() => {
            Err(Error::Outage(format!("{place}: the name has no address")))
        }
        Some(Ok(found)) => Ok(found),
        // std tells an errno only for EAI_SYSTEM; all other look-up failures are an outage.
        Some(Err(error)) => Err(match Error::io(place, &error) {
            Error::Outage(_) => {
                Error::Outage(printable(&format!("{place}: name look-up failed: {error}")))
            }
            other => other,
        }),
    }
}

/// Runs what cannot be interrupted (`getaddrinfo` has no timeout of its own) in a thread, and waits
/// for it no longer than the deadline. A thread that lingers ends with the process, and the
/// helper's process ends with the login. `Ok(None)`: too late.
fn within<T: Send + 'static>(
    by: Deadline,
    slow: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Option<T>> {
    let (done, result) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("look-up".to_owned())
        .stack_size(LOOK_UP_STACK)
        .spawn(move || done.send(slow()))?;
    Ok(result.recv_timeout(by.left()).ok())
}

/// Opens a connection to a local socket.
pub fn dial_unix(path: &Path, by: Deadline) -> Result<UnixStream, Error> {
    let place = printable(&path.display().to_string());
    connect_unix(path, by).map_err(|errno| match errno {
        // unix(7): the backlog stayed full for as long as SO_SNDTIMEO allowed.
        Errno::AGAIN | Errno::TIMEDOUT => Error::Outage(format!("{place}: timed out")),
        // A path that is no socket's is a wrong setting; one that is missing a server that is down.
        Errno::NAMETOOLONG | Errno::INVAL | Errno::NOTDIR | Errno::LOOP => {
            Error::Local(format!("{place}: {errno}"))
        }
        other => Error::io(&place, &other.into()),
    })
}

fn connect_unix(path: &Path, by: Deadline) -> Result<UnixStream, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    loop {
        let left = by.left();
        if left.is_zero() {
            return Err(Errno::TIMEDOUT);
        }
        set_socket_timeout(&socket, Timeout::Send, Some(left))?;
        match rustix::net::connect(&socket, &address) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(()) => break,
        }
    }
    set_socket_timeout(&socket, Timeout::Send, None)?;
    Ok(UnixStream::from(socket))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::unix::net::UnixListener, time::Duration};

    use super::*;
    use crate::deadline::Moment;

    fn soon() -> Deadline {
        Deadline::within(Duration::from_millis(300))
    }

    /// A port of 127.0.0.1 on which nobody listens.
    fn closed() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    }

    #[test]
    fn literals_and_names_connect_without_delay() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost"] {
            let tcp = dial(host, port, soon()).unwrap();
            assert!(tcp.nodelay().unwrap(), "{host}");
        }
    }

    #[test]
    fn localhost_is_this_machine_whatever_a_name_service_says() {
        // With no time left there is no look-up, and still an answer.
        let over = Deadline::within(Duration::ZERO);
        for host in ["localhost", "LocalHost"] {
            let found = addresses(host, 389, "x:1", over).unwrap();
            let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(shown, ["127.0.0.1:389", "[::1]:389"], "{host}");
        }
        assert!(addresses("localhost.example.org", 389, "x:1", over).is_err());
    }

    #[test]
    fn refused_is_an_outage_that_names_the_place() {
        let at = closed();
        let error = dial("127.0.0.1", at.port(), soon()).unwrap_err();
        let Error::Outage(text) = error else {
            panic!("{error:?}");
        };
        assert_eq!(text, format!("{at}: Connection refused (os error 111)"));
    }

    #[test]
    fn a_dead_address_does_not_keep_us_from_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        assert!(connect_any(&[closed(), closed(), good], "x:1", soon()).is_ok());
    }

    #[test]
    fn each_address_gets_its_share() {
        // A listener whose backlog is full swallows packets as a dead address does.
        let (_listener, _filler, dead) = swallowing();
        let began = Moment::now();
        let error = connect_any(&[dead, dead, dead], "x:1", soon()).unwrap_err();
        assert_eq!(error, Error::Outage("x:1 (127.0.0.1): timed out".into()));
        let took = Moment::now().since(began);
        assert!(took >= Duration::from_millis(290), "{took:?}");
        assert!(took < Duration::from_millis(900), "{took:?}");
    }

    /// A listener that accepts nothing more, and what fills it.
    fn swallowing() -> (std::os::fd::OwnedFd, Vec<TcpStream>, SocketAddr) {
        use rustix::net;
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        net::bind(&socket, &any).unwrap();
        net::listen(&socket, 0).unwrap();
        let at: SocketAddr = net::getsockname(&socket).unwrap().try_into().unwrap();
        let filler = (0..8)
            .map_while(|_| TcpStream::connect_timeout(&at, Duration::from_millis(200)).ok())
            .collect();
        (socket, filler, at)
    }

    #[test]
    fn no_address_and_no_such_name_are_outages() {
        assert!(matches!(
            connect_any(&[], "x:1", soon()),
            Err(Error::Outage(_))
        ));
        // RFC 6761 section 6.4: no resolver may know it.
        let error = dial(
            "sms.invalid",
            443,
            Deadline::within(Duration::from_secs(20)),
        );
        let Err(Error::Outage(text)) = error else {
            panic!("{error:?}");
        };
        assert!(text.starts_with("sms.invalid:443: name look-up "), "{text}");
    }

    #[test]
    fn a_slow_look_up_is_waited_for_no_longer_than_the_deadline() {
        let began = Moment::now();
        let late = within(soon(), || thread::sleep(Duration::from_secs(5)));
        assert!(late.unwrap().is_none());
        assert!(Moment::now().since(began) < Duration::from_secs(2));
        assert_eq!(within(soon(), || 7).unwrap(), Some(7));
    }

    #[test]
    fn over_is_over() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let over = Deadline::within(Duration::ZERO);
        let error = dial("127.0.0.1", port, over).unwrap_err();
        assert!(matches!(error, Error::Outage(_)), "{error:?}");
    }

    #[test]
    fn what_this_machine_lacks_is_local() {
        let at: SocketAddr = "192.0.2.1:443".parse().unwrap();
        for errno in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
            Errno::NOBUFS,
            Errno::ACCESS,
            Errno::PERM,
            Errno::ADDRNOTAVAIL,
            // Nothing that a peer could cause.
            Errno::IO,
            Errno::INTR,
            Errno::INVAL,
            Errno::BADF,
        ] {
            let error = told(&at, "x:1", &errno.into());
            assert!(matches!(error, Error::Local(_)), "{error:?}");
        }
        for errno in [
            Errno::CONNREFUSED,
            Errno::CONNRESET,
            Errno::PIPE,
            Errno::NETDOWN,
            Errno::NETUNREACH,
            Errno::HOSTUNREACH,
            Errno::TIMEDOUT,
            Errno::AFNOSUPPORT,
        ] {
            let error = told(&at, "x:1", &errno.into());
            assert!(matches!(error, Error::Outage(_)), "{error:?}");
        }
        let loopback: SocketAddr = "[::1]:443".parse().unwrap();
        let error = told(&loopback, "localhost:443", &Errno::ADDRNOTAVAIL.into());
        assert!(matches!(error, Error::Outage(_)), "{error:?}");
    }

    #[test]
    fn texts_are_one_printable_line() {
        let error = dial("a\nb\u{1b}[31m\u{e9}.invalid", 1, soon()).unwrap_err();
        let text = error.to_string();
        assert!(text.chars().all(|c| matches!(c, ' '..='~')), "{text:?}");
        assert!(text.starts_with("a?b?[31m?.invalid:1: "), "{text}");
        assert_eq!(place("::1", 443), "[::1]:443");
    }

    #[test]
    fn local_sockets() {
        let folder = std::env::temp_dir().join(format!("sms-otp-dial-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        let missing = dial_unix(&path, soon()).unwrap_err();
        assert!(matches!(missing, Error::Outage(_)), "{missing:?}");

        let listener = UnixListener::bind(&path).unwrap();
        assert!(dial_unix(&path, soon()).is_ok());
        drop(listener);
        let refused = dial_unix(&path, soon()).unwrap_err();
        assert!(matches!(refused, Error::Outage(_)), "{refused:?}");

        let long = folder.join("x".repeat(200));
        let long = dial_unix(&long, soon()).unwrap_err();
        assert!(matches!(long, Error::Local(_)), "{long:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_local_socket_with_a_full_backlog_times_out() {
        use rustix::net;
        let folder = std::env::temp_dir().join(format!("sms-otp-full-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        let socket = net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        net::bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        net::listen(&socket, 0).unwrap();
        let mut held = Vec::new();
        let error = loop {
            match dial_unix(&path, soon()) {
                Ok(open) if held.len() < 16 => held.push(open),
                Ok(_) => panic!("never full"),
                Err(error) => break error,
            }
        };
        let Error::Outage(text) = error else {
            panic!("{error:?}");
        };
        assert!(text.ends_with("socket: timed out"), "{text}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
