//! Twilio as a stage on loopback.
#![forbid(unsafe_code)]

mod early;
mod replies;
mod unsure;

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

use super::{Early, Twilio};
use crate::{
    config::{self, ApiUrl, Proxy, Sender},
    deadline::{Deadline, Moment},
    failure::FailureKind,
    net::stage::{Act, Authority, Stage},
    secret::Secret,
    sms::{Carrier, SendError, Sent},
};

const ACCOUNT: &str = "AC00000000000000000000000000000000";
const SID: &str = "SM0123456789abcdef0123456789abcdef";
const TOKEN: &str = "token-of-nobody";
const TO: &str = "+12025550142";
const TEXT: &str = "042137 is your login code for gate.example.org.";

fn settings(port: u16, ca: Option<&Authority>) -> config::Twilio {
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
        sound(error);
    }
    result
}

/// What every error text keeps to.
fn sound(error: &SendError) {
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

fn created() -> Act {
    Act::say(format!(
        "HTTP/1.1 201 CREATED\r\nContent-Length: 44\r\n\r\n{{\"sid\":\"{SID}\"}} "
    ))
}

fn busy(headers: &str) -> Act {
    Act::say(format!(
        "HTTP/1.1 429 TOO MANY REQUESTS\r\n{headers}Content-Length: 0\r\n\r\n"
    ))
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn sends() {
    let ca = Authority::new();
    let stage = Stage::new(Some(ca.server("127.0.0.1")), vec![created()]);
    let sent = send(&settings(stage.at.port(), Some(&ca)), LONG).unwrap();
    assert_eq!(sent.sid.as_deref(), Some(SID));
    assert!(sent.took < LONG);
    let request = stage.end().concat();
    let (head, form) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let first = format!("POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1");
    assert_eq!(lines.next(), Some(first.as_str()));
    let lines: Vec<_> = lines.collect();
    for line in [
        // base64 of "AC000…:token-of-nobody".
        "authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDp0b2tlbi1vZi1ub2JvZHk=",
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

/// `HTTPS_PROXY` through a setuid program is how a caller would get code and token.
#[test]
fn proxies_of_the_environment_are_not_asked() {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}", trap.local_addr().unwrap());
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
    assert!(trap.accept().is_err(), "somebody asked the proxy");
}

#[test]
fn through_the_proxy_of_the_settings() {
    let ca = Authority::new();
    let far = Stage::new(Some(ca.server("127.0.0.1")), vec![created()]);
    let answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let proxy = Stage::new(None, vec![Act::Tunnel(answer, far.at)]);
    let mut settings = settings(far.at.port(), Some(&ca));
    settings.proxy = Some(Proxy {
        host: "127.0.0.1".to_owned(),
        port: proxy.at.port(),
    });
    assert!(send(&settings, LONG).is_ok());
    assert_eq!(far.end().len(), 1);
    let asked = proxy.end().concat();
    assert!(asked.starts_with("CONNECT 127.0.0.1:"), "{asked}");
    assert!(!asked.to_lowercase().contains("authorization"), "{asked}");
}

#[test]
fn opening_is_tried_twice_and_posting_once() {
    let ca = Authority::new();
    let tls = || Some(ca.server("127.0.0.1"));

    // Cut off during the handshake, then fine.
    let stage = Stage::new(tls(), vec![Act::Close, created()]);
    assert!(send(&settings(stage.at.port(), Some(&ca)), LONG).is_ok());
    assert_eq!(stage.end().len(), 1);

    // Twice: no third time.
    let stage = Stage::new(tls(), vec![Act::Close, Act::Close]);
    let error = send(&settings(stage.at.port(), Some(&ca)), LONG).unwrap_err();
    assert_eq!(error.failure.kind, FailureKind::Outage);
    stage.end();

    // Once the request may have left, it is not repeated. A second connection would be answered.
    for act in [Act::Reset, Act::CloseAfterHandshake, Act::say("")] {
        let stage = Stage::new(tls(), vec![act.clone(), created()]);
        let error = send(&settings(stage.at.port(), Some(&ca)), LONG).unwrap_err();
        assert_eq!(error.failure.kind, FailureKind::Outage, "{act:?}");
        assert!(stage.requests().len() <= 1, "{act:?}");
        // Lets the stage end.
        let _ = send(&settings(stage.at.port(), Some(&ca)), LONG);
        assert!(stage.end().len() <= 2, "{act:?}");
    }
}

#[test]
fn refused_once_then_fine() {
    use rustix::net::{self, AddressFamily, SocketType};
    // Bound and not listening refuses; a moment later it listens.
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    net::bind(&socket, &any).unwrap();
    let at: std::net::SocketAddr = net::getsockname(&socket).unwrap().try_into().unwrap();
    let server = thread::spawn(move || {
        thread::sleep(Duration::from_millis(40));
        net::listen(&socket, 8).unwrap();
        Stage::on(TcpListener::from(socket), None, vec![created()]).end()
    });
    assert!(send(&settings(at.port(), None), LONG).is_ok());
    assert_eq!(server.join().unwrap().len(), 1);
}

#[test]
fn refused_is_an_outage() {
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
fn certificates_that_do_not_verify_are_our_fault_and_tried_once() {
    let (ca, other) = (Authority::new(), Authority::new());
    for tls in [
        ca.expired("127.0.0.1"),
        ca.server("sms.example.org"),
        other.server("127.0.0.1"),
    ] {
        let stage = Stage::new(Some(tls), vec![created()]);
        let error = send(&settings(stage.at.port(), Some(&ca)), LONG).unwrap_err();
        assert_eq!(
            (error.failure.kind, error.failure.code),
            (FailureKind::Refused, None),
            "{error:?}"
        );
        assert!(error.failure.what.contains("its certificate "), "{error:?}");
        assert!(stage.end().is_empty());
    }
}

#[test]
fn after_a_429_it_is_posted_again_when_there_is_time() {
    let date = "Date: Thu, 01 Oct 2026 12:00:00 GMT\r\n";
    for headers in [
        "Retry-After: 0\r\n".to_owned(),
        "Retry-After: 1\r\n".to_owned(),
        format!("{date}Retry-After: Thu, 01 Oct 2026 12:00:01 GMT\r\n"),
        format!("{date}Retry-After: Thu, 01 Oct 2026 11:00:00 GMT\r\n"),
        // Long ago, by any clock.
        "Retry-After: Thu, 01 Jan 1970 00:00:01 GMT\r\n".to_owned(),
    ] {
        let stage = Stage::new(None, vec![busy(&headers), created()]);
        let began = Moment::now();
        let sent = send(&settings(stage.at.port(), None), LONG).unwrap();
        let took = Moment::now().since(began);
        assert!(took >= Duration::from_secs(1), "{headers:?} {took:?}");
        assert!(took < Duration::from_secs(4), "{headers:?} {took:?}");
        assert!(sent.took >= Duration::from_secs(1));
        let requests = stage.end();
        assert_eq!(requests.len(), 2);
        let parts = requests.iter().map(|request| {
            let (text, valid) = request.rsplit_once("&ValidityPeriod=").unwrap();
            (text, valid.parse::<u64>().unwrap())
        });
        let parts: Vec<_> = parts.collect();
        assert_eq!(parts[0].0, parts[1].0);
        assert_eq!(parts[0].1, 300);
        assert!((296..300).contains(&parts[1].1), "{parts:?}");
    }
}

#[test]
fn after_a_429_it_is_posted_again_three_times_at_most() {
    let stage = Stage::new(None, vec![busy("Retry-After: 0\r\n"); 5]);
    let port = stage.at.port();
    let error = send(&settings(port, None), LONG).unwrap_err();
    assert_eq!(error.failure.kind, FailureKind::Limited);
    assert_eq!(stage.requests().len(), 4);
}

#[test]
fn a_wait_beyond_the_deadline_is_not_begun() {
    let stage = Stage::new(None, vec![busy("Retry-After: 2\r\n")]);
    let began = Moment::now();
    let error = send(
        &settings(stage.at.port(), None),
        Duration::from_millis(1500),
    )
    .unwrap_err();
    assert_eq!(error.failure.kind, FailureKind::Limited);
    assert!(Moment::now().since(began) < Duration::from_secs(1));
    stage.end();
}

#[test]
fn what_is_not_valid_any_more_is_not_sent() {
    let send = |stage: &Stage, valid| {
        let twilio = Twilio::new(&settings(stage.at.port(), None));
        let text = Secret::new(TEXT.to_owned());
        twilio.deliver(None, TO, &text, valid, Deadline::within(LONG))
    };
    // Not after the wait that Twilio asks for: that one is not begun.
    let stage = Stage::new(None, vec![busy("Retry-After: 3\r\n"), created()]);
    let began = Moment::now();
    let error = send(&stage, Duration::from_secs(2)).unwrap_err();
    sound(&error);
    assert_eq!(error.failure.kind, FailureKind::Limited);
    assert!(Moment::now().since(began) < Duration::from_secs(2));
    assert_eq!(stage.requests().len(), 1);
    // Nor when it took too long to connect.
    let stage = Stage::new(None, vec![created()]);
    let error = send(&stage, Duration::from_nanos(1)).unwrap_err();
    sound(&error);
    assert_eq!(error.failure.kind, FailureKind::Outage);
    assert!(stage.end().concat().is_empty());
}

#[test]
fn an_answer_is_waited_for_until_timeout_or_deadline() {
    let reply = format!("HTTP/1.1 201 CREATED\r\nContent-Length: 43\r\n\r\n{{\"sid\":\"{SID}\"}}");
    let half = Duration::from_millis(500);
    for (timeout, deadline) in [(half, LONG), (LONG, half)] {
        for (act, expected) in [
            (Act::Silent, "outage -"),
            // The status line comes at once, the rest never.
            (
                Act::Endless(b"HTTP/1.1 201 CREATED\r\n".to_vec(), Vec::new()),
                "outage -",
            ),
            (
                Act::Drip(reply.clone().into_bytes(), Duration::from_millis(30)),
                "outage -",
            ),
        ] {
            let stage = Stage::new(None, vec![act.clone()]);
            let mut settings = settings(stage.at.port(), None);
            settings.timeout = timeout;
            let began = Moment::now();
            let result = send(&settings, deadline);
            let took = Moment::now().since(began);
            assert_eq!(outcome(&result), expected, "{act:?}: {result:?}");
            assert!(took >= Duration::from_millis(490), "{act:?} {took:?}");
            assert!(took < Duration::from_secs(2), "{act:?} {took:?}");
        }
    }
}

/// Reads as far as an empty line, a byte at a time.
fn head(tcp: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tcp.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
}

#[test]
fn each_step_has_the_whole_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let pause = Duration::from_millis(700);
    let server = thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        head(&mut tcp);
        thread::sleep(pause);
        tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        head(&mut tcp);
        thread::sleep(pause);
        let Act::Say(answer) = created() else {
            panic!()
        };
        tcp.write_all(&answer).unwrap();
        tcp.shutdown(Shutdown::Write).unwrap();
        // To close with something unread would take the answer back.
        let _ = tcp.read_to_end(&mut Vec::new());
    });
    let mut settings = settings(1, None);
    settings.proxy = Some(Proxy {
        host: "127.0.0.1".to_owned(),
        port,
    });
    settings.timeout = Duration::from_secs(1);
    assert_eq!(outcome(&send(&settings, LONG)), format!("sent {SID}"));
    server.join().unwrap();
}

#[test]
fn a_201_whose_body_drips_is_sent() {
    let head = b"HTTP/1.1 201 CREATED\r\nContent-Length: 43\r\n\r\n".to_vec();
    let stage = Stage::new(None, vec![Act::Endless(head, Vec::new())]);
    let mut settings = settings(stage.at.port(), None);
    settings.timeout = Duration::from_millis(500);
    assert_eq!(outcome(&send(&settings, LONG)), "sent ?");
}

#[test]
fn a_gigabyte_is_not_read() {
    let head = b"HTTP/1.1 201 CREATED\r\nContent-Length: 1073741824\r\n\r\n{\"a\":\"".to_vec();
    let stage = Stage::new(None, vec![Act::Endless(head, vec![b'x'; 65536])]);
    let began = Moment::now();
    let result = send(&settings(stage.at.port(), None), LONG);
    assert_eq!(outcome(&result), "sent ?");
    assert!(Moment::now().since(began) < Duration::from_secs(5));
}

#[test]
fn an_open_connection_can_be_handed_in() {
    let stage = Stage::new(None, vec![created()]);
    let twilio = Twilio::new(&settings(stage.at.port(), None));
    let by = Deadline::within(LONG);
    let open = twilio.way.open(by).unwrap();
    let text = Secret::new(TEXT.to_owned());
    let sent = twilio
        .deliver(
            Some(Early::of(open)),
            TO,
            &text,
            Duration::from_secs(300),
            by,
        )
        .unwrap();
    assert_eq!(sent.sid.as_deref(), Some(SID));
}

#[test]
fn settings_that_cannot_be_used() {
    let mut no_roots = settings(1, Some(&Authority::new()));
    no_roots.ca_file = Some(b"nothing".as_slice().into());
    let error = send(&no_roots, LONG).unwrap_err();
    sound(&error);
    assert_eq!(error.failure.kind, FailureKind::Local, "{error:?}");
    // What is shown for debugging is not the token.
    let twilio = Twilio::new(&settings(1, None));
    let shown = format!("{twilio:?}");
    assert!(
        !shown.contains(TOKEN) && !shown.contains("Basic"),
        "{shown}"
    );
}
