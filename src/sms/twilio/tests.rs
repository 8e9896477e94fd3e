//! A client against a fake Twilio on loopback.
#![forbid(unsafe_code)]

mod may_be_sent;
mod preconnect;
mod rate_limit;
mod replies;
mod timeouts;

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

use super::{Preconnect, Twilio};
use crate::{
    config::{self, ApiUrl, Proxy, Sender},
    deadline::{Deadline, Moment},
    failure::FailureKind,
    secret::Secret,
    sms::{Carrier, SendError, Sent},
    test_support::net_server::{Behavior, FakeServer, TestCa},
};

const ACCOUNT: &str = "AC00000000000000000000000000000000";
const SID: &str = "SM0123456789abcdef0123456789abcdef";
const TOKEN: &str = "example-token";
const TO: &str = "+12025550142";
const TEXT: &str = "042137 is your login code for gate.example.org.";

fn settings(port: u16, ca: Option<&TestCa>) -> config::Twilio {
    config::Twilio {
        account_sid: ACCOUNT.to_owned(),
        auth_user: ACCOUNT.to_owned(),
        auth_secret: Secret::new(TOKEN.to_owned()),
        sender: Sender::Number("+15005550006".to_owned()),
        api_url: ApiUrl {
            tls: ca.is_some(),
            host: "127.0.0.1".to_owned(),
            port,
        },
        ca_file: ca.map(|ca| ca.pem().into_bytes().into()),
        proxy: None,
        timeout: Duration::from_secs(10),
        preconnect: true,
    }
}

fn send(settings: &config::Twilio, within: Duration) -> Result<Sent, SendError> {
    let twilio = Twilio::new(settings);
    let text = Secret::new(TEXT.to_owned());
    let by = Deadline::within(within);
    let result = twilio.deliver(None, TO, &text, Duration::from_secs(300), by);
    if let Err(error) = &result {
        check_texts(error);
    }
    result
}

/// Checks what holds for every error text.
fn check_texts(error: &SendError) {
    for text in [error.failure.what.as_str(), &error.failure.remedy] {
        assert!(!text.is_empty());
        assert!(text.chars().all(|c| matches!(c, ' '..='~')), "{text:?}");
        for secret in [TO, "2025550142", "042137", TOKEN, "evil", "Accepted"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert!(!format!("{error:?}").contains("042137"));
}

fn outcome(result: &Result<Sent, SendError>) -> String {
    match result {
        Ok(sent) => format!("sent {}", sent.sid.as_deref().unwrap_or("?")),
        Err(error) => {
            let kind = error.failure.kind.reason();
            let code = error
                .failure
                .code
                .map_or("-".to_owned(), |code| code.to_string());
            format!("{kind} {code}")
        }
    }
}

fn created() -> Behavior {
    Behavior::reply(format!(
        "HTTP/1.1 201 CREATED\r\nContent-Length: 44\r\n\r\n{{\"sid\":\"{SID}\"}} "
    ))
}

fn busy(headers: &str) -> Behavior {
    Behavior::reply(format!(
        "HTTP/1.1 429 TOO MANY REQUESTS\r\n{headers}Content-Length: 0\r\n\r\n"
    ))
}

/// Reads up to an empty line, byte by byte.
fn head(tcp: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tcp.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn sends() {
    let ca = TestCa::new();
    let server = FakeServer::new(Some(ca.server("127.0.0.1")), vec![created()]);
    let sent = send(&settings(server.address.port(), Some(&ca)), LONG).unwrap();
    assert_eq!(sent.sid.as_deref(), Some(SID));
    assert!(sent.took < LONG);
    let request = server.finish().concat();
    let (head, form) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let first = format!("POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1");
    assert_eq!(lines.next(), Some(first.as_str()));
    let lines: Vec<_> = lines.collect();
    for line in [
        // base64 of "AC000…:example-token".
        "authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDpleGFtcGxlLXRva2Vu",
        "content-type: application/x-www-form-urlencoded",
        "accept: application/json",
        concat!("user-agent: pam_sms_otp/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(lines.contains(&line), "{line} in {lines:?}");
    }
    assert_eq!(
        form,
        "To=%2B12025550142&From=%2B15005550006&Body=042137+is+your+login+code+for+gate.example.org.&ValidityPeriod=300"
    );
}

/// With `HTTPS_PROXY` the caller of a setuid program could redirect code and token to their own proxy.
#[test]
fn environment_proxies_are_not_used() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "sms::twilio::tests::sends",
        "net::http::exchange::tests::no_proxy_no_pool_no_redirect",
    ]);
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
        child.env(name, &url).env(name.to_lowercase(), &url);
    }
    child.env("SSL_CERT_FILE", "/dev/null");
    let output = child.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("2 passed"), "{text}");
    assert!(proxy.accept().is_err(), "a connection to the proxy");
}

#[test]
fn the_proxy_of_the_settings_is_used() {
    let ca = TestCa::new();
    let api = FakeServer::new(Some(ca.server("127.0.0.1")), vec![created()]);
    let answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let proxy = FakeServer::new(None, vec![Behavior::Tunnel(answer, api.address)]);
    let mut settings = settings(api.address.port(), Some(&ca));
    settings.proxy = Some(Proxy {
        host: "127.0.0.1".to_owned(),
        port: proxy.address.port(),
    });
    assert!(send(&settings, LONG).is_ok());
    assert_eq!(api.finish().len(), 1);
    let connect = proxy.finish().concat();
    assert!(connect.starts_with("CONNECT 127.0.0.1:"), "{connect}");
    assert!(
        !connect.to_lowercase().contains("authorization"),
        "{connect}"
    );
}

#[test]
fn opening_is_tried_twice_and_posting_once() {
    let ca = TestCa::new();
    let tls = || Some(ca.server("127.0.0.1"));

    // Closed during the handshake, then accepted.
    let server = FakeServer::new(tls(), vec![Behavior::Close, created()]);
    assert!(send(&settings(server.address.port(), Some(&ca)), LONG).is_ok());
    assert_eq!(server.finish().len(), 1);

    // Closed twice: there is no third connection.
    let server = FakeServer::new(tls(), vec![Behavior::Close, Behavior::Close]);
    let error = send(&settings(server.address.port(), Some(&ca)), LONG).unwrap_err();
    assert_eq!(error.failure.kind, FailureKind::Outage);
    server.finish();

    // A request that may have been sent is not repeated. A second connection would get a reply.
    for behavior in [
        Behavior::Reset,
        Behavior::CloseAfterHandshake,
        Behavior::reply(""),
    ] {
        let server = FakeServer::new(tls(), vec![behavior.clone(), created()]);
        let error = send(&settings(server.address.port(), Some(&ca)), LONG).unwrap_err();
        assert_eq!(error.failure.kind, FailureKind::Outage, "{behavior:?}");
        assert!(server.requests().len() <= 1, "{behavior:?}");
        // Lets the server end.
        let _ = send(&settings(server.address.port(), Some(&ca)), LONG);
        assert!(server.finish().len() <= 2, "{behavior:?}");
    }
}

#[test]
fn a_refused_connection_is_tried_again() {
    use rustix::net::{self, AddressFamily, SocketType};
    // A socket that is bound and not listening refuses. It listens 40 ms later.
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    net::bind(&socket, &any).unwrap();
    let at: std::net::SocketAddr = net::getsockname(&socket).unwrap().try_into().unwrap();
    let server = thread::spawn(move || {
        thread::sleep(Duration::from_millis(40));
        net::listen(&socket, 8).unwrap();
        FakeServer::on(TcpListener::from(socket), None, vec![created()]).finish()
    });
    assert!(send(&settings(at.port(), None), LONG).is_ok());
    assert_eq!(server.join().unwrap().len(), 1);
}

#[test]
fn a_closed_port_is_an_outage() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = send(&settings(port, None), LONG).unwrap_err();
    assert_eq!(error.failure.kind, FailureKind::Outage);
    assert!(
        error
            .failure
            .what
            .starts_with(&format!("127.0.0.1:{port}: "))
    );
}

#[test]
fn a_certificate_that_does_not_verify_is_refused_without_a_retry() {
    let (ca, other) = (TestCa::new(), TestCa::new());
    for tls in [
        ca.expired("127.0.0.1"),
        ca.server("sms.example.org"),
        other.server("127.0.0.1"),
    ] {
        let server = FakeServer::new(Some(tls), vec![created()]);
        let error = send(&settings(server.address.port(), Some(&ca)), LONG).unwrap_err();
        assert_eq!(
            (error.failure.kind, error.failure.code),
            (FailureKind::Refused, None),
            "{error:?}"
        );
        assert!(error.failure.what.contains("its certificate "), "{error:?}");
        assert!(server.finish().is_empty());
    }
}

#[test]
fn an_open_connection_is_used() {
    let server = FakeServer::new(None, vec![created()]);
    let twilio = Twilio::new(&settings(server.address.port(), None));
    let by = Deadline::within(LONG);
    let open = twilio.endpoint.open(by).unwrap();
    let text = Secret::new(TEXT.to_owned());
    let sent = twilio
        .deliver(
            Some(Preconnect::of(open)),
            TO,
            &text,
            Duration::from_secs(300),
            by,
        )
        .unwrap();
    assert_eq!(sent.sid.as_deref(), Some(SID));
}

#[test]
fn an_unusable_ca_file_is_a_local_failure() {
    let mut no_roots = settings(1, Some(&TestCa::new()));
    no_roots.ca_file = Some(b"no PEM".as_slice().into());
    let error = send(&no_roots, LONG).unwrap_err();
    check_texts(&error);
    assert_eq!(error.failure.kind, FailureKind::Local, "{error:?}");
}

#[test]
fn debug_output_contains_no_token() {
    let twilio = Twilio::new(&settings(1, None));
    let shown = format!("{twilio:?}");
    assert!(
        !shown.contains(TOKEN) && !shown.contains("Basic"),
        "{shown}"
    );
}
