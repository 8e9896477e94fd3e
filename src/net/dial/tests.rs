//! Names, addresses and local sockets, and the errors without a server.
#![forbid(unsafe_code)]

mod several;

use std::{net::TcpListener, os::unix::net::UnixListener, time::Duration};

use super::{
    super::{Lookup, peer},
    *,
};

fn soon() -> Deadline {
    Deadline::within(Duration::from_millis(300))
}

fn timeouts(by: Deadline) -> Timeouts {
    let step = by.left();
    Timeouts { by, step }
}

/// Connects to the first address that accepts.
fn plain(host: &str, port: u16, by: Deadline) -> Result<TcpStream, Error> {
    let addresses = Lookup::begin(host, port).wait(by)?;
    dial(&addresses, timeouts(by), |connected| Ok(connected.tcp))
}

fn any(addresses: &[SocketAddr], by: Deadline) -> Result<TcpStream, Error> {
    dial(&server_at(addresses), timeouts(by), |connected| {
        Ok(connected.tcp)
    })
}

/// A server with these addresses.
fn server_at(addresses: &[SocketAddr]) -> Addresses {
    Addresses {
        host: "x".to_owned(),
        port: 1,
        found: addresses.to_vec(),
    }
}

/// A port of 127.0.0.1 without a listener.
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
        let tcp = plain(host, port, soon()).unwrap();
        assert!(tcp.nodelay().unwrap(), "{host}");
    }
}

#[test]
fn a_refused_connection_is_an_outage_with_the_address() {
    let at = closed();
    let error = plain("127.0.0.1", at.port(), soon()).unwrap_err();
    let Error::Outage(text) = error else {
        panic!("{error:?}");
    };
    assert_eq!(text, format!("{at}: Connection refused (os error 111)"));
}

#[test]
fn the_next_address_is_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = listener.local_addr().unwrap();
    assert!(any(&[closed(), closed(), good], soon()).is_ok());
}

#[test]
fn each_address_gets_its_share() {
    // A listener with a full backlog drops packets, as an address without a host does.
    let (_listener, _filler, dead) = full_backlog();
    let began = Moment::now();
    let error = any(&[dead, dead, dead], soon()).unwrap_err();
    assert_eq!(error, Error::Outage("x:1 (127.0.0.1): timed out".into()));
    let took = Moment::now().since(began);
    assert!(took >= Duration::from_millis(290), "{took:?}");
    assert!(took < Duration::from_millis(900), "{took:?}");
}

/// A listener with a full backlog, and the connections in it.
fn full_backlog() -> (std::os::fd::OwnedFd, Vec<TcpStream>, SocketAddr) {
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
fn no_address_is_an_outage() {
    assert!(matches!(any(&[], soon()), Err(Error::Outage(_))));
}

#[test]
fn an_expired_deadline_is_an_outage() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let expired = Deadline::within(Duration::ZERO);
    let error = plain("127.0.0.1", port, expired).unwrap_err();
    assert!(matches!(error, Error::Outage(_)), "{error:?}");
}

#[test]
fn errors_of_this_machine_are_local() {
    let at: SocketAddr = "192.0.2.1:443".parse().unwrap();
    for errno in [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::NOBUFS,
        Errno::ACCESS,
        Errno::PERM,
        Errno::ADDRNOTAVAIL,
        // A peer cannot cause these.
        Errno::IO,
        Errno::INTR,
        Errno::INVAL,
        Errno::BADF,
    ] {
        let error = connect_error(&at, "x:1", &errno.into());
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
        let error = connect_error(&at, "x:1", &errno.into());
        assert!(matches!(error, Error::Outage(_)), "{error:?}");
    }
    // No local port is left, or IPv6 is disabled.
    let loopback: SocketAddr = "[::1]:443".parse().unwrap();
    let error = connect_error(&loopback, "[::1]:443", &Errno::ADDRNOTAVAIL.into());
    assert!(matches!(error, Error::Local(_)), "{error:?}");
}

#[test]
fn texts_are_one_printable_line() {
    let error = plain("a\nb\u{1b}[31m\u{e9}.invalid", 1, soon()).unwrap_err();
    let text = error.to_string();
    assert!(text.chars().all(|c| matches!(c, ' '..='~')), "{text:?}");
    assert!(
        text.starts_with("name lookup of a?b?[31m?.invalid "),
        "{text}"
    );
    assert_eq!(peer("::1", 443), "[::1]:443");
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
fn a_full_backlog_of_a_local_socket_is_no_outage() {
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
    let Error::ClosedEarly(text) = error else {
        panic!("{error:?}");
    };
    assert!(
        text.ends_with("socket: accepts no more connections"),
        "{text}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}
