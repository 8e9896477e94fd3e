//! Connections to servers that misbehave.
#![forbid(unsafe_code)]

mod idle;

use std::{sync::Arc, time::Duration};

use super::{
    Error, Lookup,
    http::{Connection, Post, Response, Server, post},
    socket::Socket,
    tls::TlsStream,
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

fn request(server: &Server, by: Deadline) -> Result<Response, Error> {
    let (host, port) = match &server.proxy {
        None => (&server.host, server.port),
        Some((host, port)) => (host, *port),
    };
    let addresses = Lookup::begin(host, port).wait(by)?;
    let connection = Connection::open(server, &addresses, Duration::from_secs(60), by)?;
    let authorization = Secret::new("Basic eDp5".to_owned());
    let form = Secret::new("a=b".to_owned());
    let form_post = Post {
        path: "/x",
        authorization: &authorization,
        form: &form,
    };
    post(server, connection, &form_post, by).map_err(|error| error.error)
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

fn outage(result: Result<Response, Error>) -> String {
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
        let response = request(&server, soon()).unwrap();
        assert_eq!(response.status, 200, "{name}");
        assert_eq!(response.body.as_slice(), b"hi", "{name}");
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
    for (tls, text) in [
        (ca.expired("127.0.0.1"), "has expired"),
        (ca.server("127.0.0.2"), "is for another name"),
        (ca.server("sms.example.org"), "is for another name"),
        (other.server("127.0.0.1"), "was issued by an untrusted CA"),
    ] {
        let fake = FakeServer::new(Some(tls), vec![Behavior::reply(OK)]);
        let server = server(&fake, Some(&ca));
        let error = request(&server, soon()).unwrap_err();
        let expected = format!("{}: its certificate {text}", fake.address);
        assert_eq!(refused(&error), expected);
        // No byte of the request was sent.
        assert!(fake.finish().is_empty());
    }
}

#[test]
fn a_name_for_which_no_certificate_can_be_valid() {
    let ca = TestCa::new();
    let config = tls_config(Some(&ca.pem().into_bytes().into())).unwrap();
    let fake = FakeServer::new(None, vec![Behavior::Silent]);
    let tcp = std::net::TcpStream::connect(fake.address).unwrap();
    let socket = Socket::new(tcp, "a b:443".to_owned());
    let error = TlsStream::over(socket, "a b", &config, soon()).unwrap_err();
    let expected = "a b:443: no certificate can be valid for this name";
    assert_eq!(refused(&error), expected);
}

#[test]
fn servers_without_tls() {
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
        let result = request(&server, soon());
        assert!(!closes || matches!(result, Err(Error::ClosedEarly(_))));
        outage(result);
    }
}

#[test]
fn a_silent_server_costs_the_deadline() {
    let ca = TestCa::new();
    for secured in [false, true] {
        let fake = FakeServer::new(None, vec![Behavior::Silent]);
        let server = server(&fake, secured.then_some(&ca));
        let began = Moment::now();
        let text = outage(request(&server, soon()));
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
        let text = outage(request(&server, soon()));
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
            "interim responses",
            Behavior::Endless(Vec::new(), b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100)),
        ),
    ];
    for (name, behavior) in cases {
        let fake = FakeServer::new(None, vec![behavior]);
        let began = Moment::now();
        let by = Deadline::within(Duration::from_secs(20));
        let result = request(&server(&fake, None), by);
        assert!(
            matches!(result, Err(Error::Outage(_))),
            "{name}: {result:?}"
        );
        assert!(
            Moment::now().since(began) < Duration::from_secs(5),
            "{name}"
        );
    }
    // An endless body is read up to the limit; the header is valid.
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n",
    ] {
        let fake = FakeServer::new(None, vec![Behavior::Endless(head.into(), page.clone())]);
        let began = Moment::now();
        let by = Deadline::within(Duration::from_secs(20));
        let response = request(&server(&fake, None), by).unwrap();
        assert_eq!(response.body.len(), 64 * 1024);
        assert!(Moment::now().since(began) < Duration::from_secs(5));
    }
}

#[test]
fn an_incomplete_body_is_kept() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n5\r\n",
    ] {
        let fake = FakeServer::new(None, vec![Behavior::reply(text)]);
        let response = request(&server(&fake, None), soon()).unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.body.as_slice(), b"hi");
    }
}

#[test]
fn through_a_proxy() {
    let ca = TestCa::new();
    let api = FakeServer::new(
        Some(ca.server("sms.example.org")),
        vec![Behavior::reply(OK)],
    );
    let answer = b"HTTP/1.1 200 Connection established\r\nProxy-Agent: x\r\n\r\n".to_vec();
    let proxy = FakeServer::new(None, vec![Behavior::Tunnel(answer, api.address)]);
    let server = Server {
        host: "sms.example.org".to_owned(),
        port: 8443,
        tls: Some(tls_config(Some(&ca.pem().into_bytes().into())).unwrap()),
        proxy: Some(("127.0.0.1".to_owned(), proxy.address.port())),
    };
    let response = request(&server, soon()).unwrap();
    assert_eq!(response.body.as_slice(), b"hi");
    // The proxy gets the destination and nothing else.
    assert_eq!(
        proxy.finish(),
        ["CONNECT sms.example.org:8443 HTTP/1.1\r\nHost: sms.example.org:8443\r\n\r\n"]
    );
    assert!(api.finish()[0].contains("host: sms.example.org:8443\r\n"));
}

#[test]
fn proxies_that_refuse() {
    let nowhere = "127.0.0.1:9".parse().unwrap();
    for (reply, text) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            Some("the proxy requires authentication (407)"),
        ),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            Some("the proxy forbids this destination (403)"),
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
        let behavior = Behavior::Tunnel(reply.into(), nowhere);
        let proxy = FakeServer::new(None, vec![behavior]);
        let server = Server {
            host: "sms.example.org".to_owned(),
            port: 443,
            tls: None,
            proxy: Some(("127.0.0.1".to_owned(), proxy.address.port())),
        };
        let error = request(&server, soon()).unwrap_err();
        let prefix = format!("sms.example.org:443 through the proxy {}: ", proxy.address);
        assert!(error.to_string().starts_with(&prefix), "{error}");
        match text {
            Some(text) => assert_eq!(refused(&error), format!("{prefix}{text}")),
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
    let text = outage(request(&server, Deadline::within(Duration::from_secs(20))));
    assert!(text.ends_with("no response to CONNECT"), "{text}");
}

#[test]
fn ipv6_and_default_ports_in_the_host_header() {
    // The proxy's request is checked: a test cannot listen on port 443.
    let fake = FakeServer::new(None, vec![Behavior::reply(OK)]);
    let server = Server {
        host: "::1".to_owned(),
        port: 80,
        tls: None,
        proxy: Some(("127.0.0.1".to_owned(), fake.address.port())),
    };
    // The server replies 200 to CONNECT and closes.
    assert!(request(&server, soon()).is_err());
    assert_eq!(
        fake.finish(),
        ["CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"]
    );
}
