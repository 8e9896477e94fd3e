//! Connections against servers that misbehave.
#![forbid(unsafe_code)]

mod quiet;

use std::{sync::Arc, time::Duration};

use super::{
    Error, Lookup, Secured,
    http::{Connection, Post, Reply, Server, post},
    line::Line,
    tls_config,
};
use crate::{
    deadline::{Deadline, Moment},
    secret::Secret,
    test_support::net_server::{Behavior, FakeServer, TestCa},
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn soon() -> Deadline {
    Deadline::within(Duration::from_millis(500))
}

fn server(fake: &FakeServer, ca: Option<&TestCa>) -> Server {
    Server {
        host: "127.0.0.1".to_owned(),
        port: fake.address.port(),
        tls: ca.map(|ca| tls_config(Some(&ca.pem().into_bytes().into())).unwrap()),
        proxy: None,
    }
}

fn ask(server: &Server, by: Deadline) -> Result<Reply, Error> {
    let (host, port) = match &server.proxy {
        None => (&server.host, server.port),
        Some((host, port)) => (host, *port),
    };
    let at = Lookup::begin(host, port).wait(by)?;
    let connection = Connection::open(server, &at, Duration::from_secs(60), by)?;
    let authorization = Secret::new("Basic eDp5".to_owned());
    let form = Secret::new("a=b".to_owned());
    let asked = Post {
        path: "/x",
        authorization: &authorization,
        form: &form,
    };
    post(server, connection, &asked, by).map_err(|unanswered| unanswered.error)
}

fn refused(error: &Error) -> &str {
    match error {
        Error::Refused { what, remedy } => {
            assert!(remedy.len() > 20, "{remedy}");
            what
        }
        other => panic!("{other:?}"),
    }
}

fn outage(result: Result<Reply, Error>) -> String {
    match result {
        Err(Error::Outage(text) | Error::ClosedEarly(text)) => {
            assert!(text.chars().all(|c| matches!(c, ' '..='~')), "{text:?}");
            text
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn over_tls_12_and_13_and_plain() {
    let ca = TestCa::new();
    let mut old = (*ca.server("127.0.0.1")).clone();
    old.max_fragment_size = Some(64);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let only_12 = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&old.cert_resolver));
    for (name, tls) in [
        ("plain", None),
        ("1.3", Some(ca.server("127.0.0.1"))),
        ("small records", Some(Arc::new(old))),
        ("1.2", Some(Arc::new(only_12))),
    ] {
        let secured = tls.is_some();
        let fake = FakeServer::new(tls, vec![Behavior::reply(OK)]);
        let server = server(&fake, secured.then_some(&ca));
        let reply = ask(&server, soon()).unwrap();
        assert_eq!(reply.status, 200, "{name}");
        assert_eq!(reply.body.as_slice(), b"hi", "{name}");
        let requests = fake.finish();
        assert_eq!(requests.len(), 1, "{name}");
        let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "a=b", "{name}");
        let mut lines: Vec<_> = head.lines().collect();
        lines[1..].sort_unstable();
        let host = format!("host: 127.0.0.1:{}", server.port);
        let agent = concat!("user-agent: pam_sms_otp/", env!("CARGO_PKG_VERSION"));
        let expected = [
            "POST /x HTTP/1.1",
            "accept: application/json",
            "authorization: Basic eDp5",
            "content-length: 3",
            "content-type: application/x-www-form-urlencoded",
            &host,
            agent,
        ];
        assert_eq!(lines, expected, "{name}");
    }
}

#[test]
fn certificates_that_do_not_verify() {
    let (ca, other) = (TestCa::new(), TestCa::new());
    for (tls, fault) in [
        (ca.expired("127.0.0.1"), "has expired"),
        (ca.server("127.0.0.2"), "is for another name"),
        (ca.server("sms.example.org"), "is for another name"),
        (
            other.server("127.0.0.1"),
            "was issued by a CA that is not trusted here",
        ),
    ] {
        let fake = FakeServer::new(Some(tls), vec![Behavior::reply(OK)]);
        let server = server(&fake, Some(&ca));
        let error = ask(&server, soon()).unwrap_err();
        let expected = format!("{}: its certificate {fault}", fake.address);
        assert_eq!(refused(&error), expected);
        // Nothing of the request has left.
        assert!(fake.finish().is_empty());
    }
}

#[test]
fn a_name_that_no_certificate_can_have() {
    let ca = TestCa::new();
    let config = tls_config(Some(&ca.pem().into_bytes().into())).unwrap();
    let fake = FakeServer::new(None, vec![Behavior::Silent]);
    let tcp = std::net::TcpStream::connect(fake.address).unwrap();
    let line = Line::new(tcp, "a b:443".to_owned());
    let error = Secured::over(line, "a b", &config, soon()).unwrap_err();
    let expected = "a b:443: no certificate can be for this name";
    assert_eq!(refused(&error), expected);
}

#[test]
fn servers_that_do_not_speak_tls() {
    let ca = TestCa::new();
    for behavior in [
        Behavior::Close,
        Behavior::reply("SSH-2.0-OpenSSH_9.9\r\n"),
        Behavior::Reset,
    ] {
        let closes = matches!(behavior, Behavior::Close);
        let fake = FakeServer::new(None, vec![behavior]);
        let mut server = server(&fake, Some(&ca));
        server.tls = Some(tls_config(Some(&ca.pem().into_bytes().into())).unwrap());
        let answer = ask(&server, soon());
        assert!(!closes || matches!(answer, Err(Error::ClosedEarly(_))));
        outage(answer);
    }
}

#[test]
fn a_silent_server_costs_the_deadline() {
    let ca = TestCa::new();
    for secured in [false, true] {
        let fake = FakeServer::new(None, vec![Behavior::Silent]);
        let server = server(&fake, secured.then_some(&ca));
        let began = Moment::now();
        let text = outage(ask(&server, soon()));
        assert!(text.ends_with(": timed out"), "{text}");
        let took = Moment::now().since(began);
        assert!(took >= Duration::from_millis(490), "{took:?}");
        assert!(took < Duration::from_millis(1500), "{took:?}");
    }
}

#[test]
fn a_dripping_server_costs_the_deadline() {
    let ca = TestCa::new();
    for tls in [None, Some(ca.server("127.0.0.1"))] {
        let secured = tls.is_some();
        let drip = Behavior::Drip(OK.into(), Duration::from_millis(50));
        let fake = FakeServer::new(tls, vec![drip]);
        let server = server(&fake, secured.then_some(&ca));
        let began = Moment::now();
        let text = outage(ask(&server, soon()));
        assert!(text.ends_with(": timed out"), "{text}");
        let took = Moment::now().since(began);
        assert!(took >= Duration::from_millis(490), "{took:?}");
        assert!(took < Duration::from_millis(1500), "{took:?}");
    }
}

#[test]
fn endless_servers_cost_little() {
    let page = vec![b'x'; 16 * 1024];
    let header = b"HTTP/1.1 200 OK\r\n".to_vec();
    let cases = [
        ("garbage", Behavior::Endless(Vec::new(), page.clone())),
        (
            "header",
            Behavior::Endless(header, b"X-Filler: 1\r\n".to_vec()),
        ),
        (
            "interim answers",
            Behavior::Endless(Vec::new(), b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100)),
        ),
    ];
    for (name, behavior) in cases {
        let fake = FakeServer::new(None, vec![behavior]);
        let began = Moment::now();
        let by = Deadline::within(Duration::from_secs(20));
        let result = ask(&server(&fake, None), by);
        assert!(
            matches!(result, Err(Error::Outage(_))),
            "{name}: {result:?}"
        );
        assert!(
            Moment::now().since(began) < Duration::from_secs(5),
            "{name}"
        );
    }
    // A body without end is read so far and no further; what the header said stands.
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n",
    ] {
        let fake = FakeServer::new(None, vec![Behavior::Endless(head.into(), page.clone())]);
        let began = Moment::now();
        let by = Deadline::within(Duration::from_secs(20));
        let reply = ask(&server(&fake, None), by).unwrap();
        assert_eq!(reply.body.len(), 64 * 1024);
        assert!(Moment::now().since(began) < Duration::from_secs(5));
    }
}

#[test]
fn a_body_that_is_cut_off_keeps_what_came() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n5\r\n",
    ] {
        let fake = FakeServer::new(None, vec![Behavior::reply(text)]);
        let reply = ask(&server(&fake, None), soon()).unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body.as_slice(), b"hi");
    }
}

#[test]
fn through_a_proxy() {
    let ca = TestCa::new();
    let far = FakeServer::new(
        Some(ca.server("sms.example.org")),
        vec![Behavior::reply(OK)],
    );
    let answer = b"HTTP/1.1 200 Connection established\r\nProxy-Agent: x\r\n\r\n".to_vec();
    let proxy = FakeServer::new(None, vec![Behavior::Tunnel(answer, far.address)]);
    let server = Server {
        host: "sms.example.org".to_owned(),
        port: 8443,
        tls: Some(tls_config(Some(&ca.pem().into_bytes().into())).unwrap()),
        proxy: Some(("127.0.0.1".to_owned(), proxy.address.port())),
    };
    let reply = ask(&server, soon()).unwrap();
    assert_eq!(reply.body.as_slice(), b"hi");
    // The proxy is told where, and nothing else.
    assert_eq!(
        proxy.finish(),
        ["CONNECT sms.example.org:8443 HTTP/1.1\r\nHost: sms.example.org:8443\r\n\r\n"]
    );
    assert!(far.finish()[0].contains("host: sms.example.org:8443\r\n"));
}

#[test]
fn proxies_that_refuse() {
    let nowhere = "127.0.0.1:9".parse().unwrap();
    for (answer, words) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            Some("the proxy demands a login (407)"),
        ),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            Some("the proxy forbids the way there (403)"),
        ),
        (
            "HTTP/1.1 405 Method Not Allowed\r\n\r\n",
            Some("the proxy refuses CONNECT (405)"),
        ),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", None),
        ("HTTP/1.1 503 Busy\r\n\r\n", None),
        ("SOCKS?\r\n\r\n", None),
        ("HTTP/1.1 2", None),
        ("", None),
    ] {
        let behavior = Behavior::Tunnel(answer.into(), nowhere);
        let proxy = FakeServer::new(None, vec![behavior]);
        let server = Server {
            host: "sms.example.org".to_owned(),
            port: 443,
            tls: None,
            proxy: Some(("127.0.0.1".to_owned(), proxy.address.port())),
        };
        let error = ask(&server, soon()).unwrap_err();
        let way = format!("sms.example.org:443 through the proxy {}: ", proxy.address);
        assert!(error.to_string().starts_with(&way), "{error}");
        match words {
            Some(words) => assert_eq!(refused(&error), format!("{way}{words}")),
            None => assert!(matches!(error, Error::Outage(_)), "{error:?}"),
        }
    }
    let endless = Behavior::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X: 1\r\n".to_vec());
    let proxy = FakeServer::new(None, vec![endless]);
    let server = Server {
        host: "sms.example.org".to_owned(),
        port: 443,
        tls: None,
        proxy: Some(("127.0.0.1".to_owned(), proxy.address.port())),
    };
    let text = outage(ask(&server, Deadline::within(Duration::from_secs(20))));
    assert!(text.ends_with("no answer to CONNECT"), "{text}");
}

#[test]
fn ipv6_and_usual_ports_in_the_host_header() {
    // Both come from the same line; a listener on port 443 is not to be had in a test.
    let fake = FakeServer::new(None, vec![Behavior::reply(OK)]);
    let far = Server {
        host: "::1".to_owned(),
        port: 80,
        tls: None,
        proxy: Some(("127.0.0.1".to_owned(), fake.address.port())),
    };
    // A server that takes CONNECT for a request answers 200, and then hears nothing more.
    assert!(ask(&far, soon()).is_err());
    assert_eq!(
        fake.finish(),
        ["CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"]
    );
}
