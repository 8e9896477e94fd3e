//! The fake Twilio validates requests, responds in Twilio's format, and returns the configured errors.
use super::*;
use crate::certs::{Certs, Identity};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use std::io::{Read, Write};
use std::time::Instant;

const ALICE: &str = "+447700900001";

/// Sends these bytes and returns the response.
fn raw(twilio: &Twilio, certs: &Certs, request: &str) -> String {
    let server = ServerName::try_from("127.0.0.1").unwrap();
    let session = ClientConnection::new(Arc::new(client_config(certs)), server).unwrap();
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, twilio.port())).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(3)))
        .unwrap();
    let mut tls = StreamOwned::new(session, socket);
    tls.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn client_config(certs: &Certs) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certs.ca()).unwrap())
        .unwrap();
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn client(certs: &Certs) -> reqwest::blocking::Client {
    reqwest::blocking::Client::builder()
        .tls_backend_preconfigured(client_config(certs))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

/// Posts a form to the Messages resource; the status and the body.
fn post(twilio: &Twilio, certs: &Certs, form: &[(&str, &str)]) -> reqwest::Result<(u16, String)> {
    let account = twilio.account();
    let url = format!(
        "{}/2010-04-01/Accounts/{}/Messages.json",
        twilio.url(),
        account.sid
    );
    let request = client(certs)
        .post(url)
        .basic_auth(account.sid, Some(account.token))
        .form(form);
    let answer = request.send()?;
    Ok((answer.status().as_u16(), answer.text()?))
}

fn send(twilio: &Twilio, certs: &Certs, to: &str) -> reqwest::Result<(u16, String)> {
    let from = twilio.account().from;
    let body = "123456 is your login code for host. It expires in 5 minutes.";
    post(
        twilio,
        certs,
        &[
            ("To", to),
            ("From", &from),
            ("Body", body),
            ("ValidityPeriod", "300"),
        ],
    )
}

fn code(answer: &str) -> u64 {
    serde_json::from_str::<Value>(answer).unwrap()["code"]
        .as_u64()
        .unwrap()
}

#[test]
fn a_valid_request_gets_a_valid_response_and_is_delivered() {
    let certs = Certs::new();
    let twilio = Twilio::start(&certs);
    let (status, body) = send(&twilio, &certs, ALICE).unwrap();
    assert_eq!(status, 201, "{body}");
    let path = format!(
        "/2010-04-01/Accounts/{}/Messages.json",
        twilio.account().sid
    );
    let operation = description::operation("POST", &path).unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(operation.check_response(201, &body), Vec::<String>::new());
    let sms = twilio.wait_for_sms(ALICE, Duration::ZERO);
    assert_eq!((sms.code().as_str(), sms.validity), ("123456", Some(300)));
    assert_eq!(
        twilio.next_sms(ALICE, Duration::ZERO),
        None,
        "an SMS is read once"
    );
    assert_eq!(twilio.sms_to(ALICE).len(), 1);
}

#[test]
fn the_resources_of_the_account_conform_to_the_description() {
    let certs = Certs::new();
    let twilio = Twilio::start(&certs);
    twilio.change_account(|account| account.caller_ids = vec![ALICE.to_owned()]);
    send(&twilio, &certs, ALICE).unwrap();
    let account = twilio.account();
    let base = format!("/2010-04-01/Accounts/{}", account.sid);
    let sid = twilio.sms_to(ALICE)[0].sid.clone();
    for path in [
        format!("{base}.json"),
        format!("{base}/Messages/{sid}.json"),
        format!("{base}/IncomingPhoneNumbers.json"),
        format!("{base}/OutgoingCallerIds.json"),
    ] {
        let request = client(&certs).get(format!("{}{path}", twilio.url()));
        let answer = request
            .basic_auth(&account.key_sid, Some(&account.key_secret))
            .send();
        let answer: Value = serde_json::from_str(&answer.unwrap().text().unwrap()).unwrap();
        let operation = description::operation("GET", &path).unwrap();
        assert_eq!(
            operation.check_response(200, &answer),
            Vec::<String>::new(),
            "{path}"
        );
    }
}

#[test]
fn invalid_fields_are_refused_with_twilios_codes() {
    let certs = Certs::new();
    let twilio = Twilio::start(&certs);
    let from = twilio.account().from;
    let long = "x".repeat(1601);
    let service = twilio.account().service;
    let (to, text, sender) = (("To", ALICE), ("Body", "hello"), ("From", from.as_str()));
    let rows: &[(&[(&str, &str)], u64)] = &[
        (&[sender, text], 21604),
        (&[("To", ""), sender, text], 21604),
        (&[("To", "07700900001"), sender, text], 21211),
        (&[("To", "+4477009000010000"), sender, text], 21211),
        (&[("To", "whatsapp:+447700900001"), sender, text], 21211),
        (&[("To", &from), sender, text], 21211),
        (&[to, text], 21603),
        (&[to, ("From", "+12025550198"), text], 21606),
        (&[to, ("From", "+1 (202) 555"), text], 21212),
        (&[to, ("MessagingServiceSid", "MG17"), text], 21701),
        (&[to, sender], 21602),
        (&[to, sender, ("Body", &long)], 21617),
        (&[to, sender, text, ("ValidityPeriod", "soon")], 20001),
        (&[to, sender, text, ("ValidityPeriod", "0")], 20001),
        (&[to, sender, text, ("Bogus", "1")], 20001),
        (&[to, to, sender, text], 20001),
    ];
    for (form, wanted) in rows {
        let (status, body) = post(&twilio, &certs, form).unwrap();
        assert_eq!((status, code(&body)), (400, *wanted), "{form:?}: {body}");
    }
    assert_eq!(
        post(
            &twilio,
            &certs,
            &[to, ("MessagingServiceSid", &service), text]
        )
        .unwrap()
        .0,
        201
    );
    assert_eq!(twilio.all_sms().len(), 1, "refused requests send nothing");
    assert_eq!(
        twilio.requests().len(),
        rows.len() + 1,
        "and are in the log"
    );
}

#[test]
fn wrong_credentials_paths_and_types_are_refused() {
    let certs = Certs::new();
    let twilio = Twilio::start(&certs);
    let account = twilio.account();
    let good = account.authorization();
    let body = "To=%2B447700900001&From=%2B12025550199&Body=hello";
    let form = "application/x-www-form-urlencoded";
    let path = format!("/2010-04-01/Accounts/{}/Messages.json", account.sid);
    let other = path.replace("c0ffee", "badbad");
    let rows = [
        ("POST", path.as_str(), "Basic bm86bm8=", form, 401, 20003),
        ("POST", &path, "Bearer x", form, 401, 20003),
        ("POST", &path, "", form, 401, 20003),
        ("POST", &path, &good, "application/json", 415, 20001),
        ("POST", &other, &good, form, 404, 20404),
        (
            "POST",
            "/2010-04-01/Accounts/AC17/Messages.json",
            &good,
            form,
            404,
            20404,
        ),
        ("POST", "/", &good, form, 404, 20404),
        ("PUT", &path, &good, form, 405, 20004),
    ];
    for (method, path, authorization, kind, status, wanted) in rows {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\n\
             Content-Type: {kind}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = raw(&twilio, &certs, &request);
        let (head, json) = answer.split_once("\r\n\r\n").unwrap_or_default();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}\n{answer}"
        );
        assert_eq!(code(json), wanted, "{request}");
    }
    for request in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "\0\r\n\r\n",
    ] {
        assert!(
            raw(&twilio, &certs, request).starts_with("HTTP/1.1 400 "),
            "{request:?}"
        );
    }
    assert!(twilio.all_sms().is_empty());
}

#[test]
fn trial_and_suspended_accounts_are_refused() {
    let certs = Certs::new();
    let twilio = Twilio::start(&certs);
    twilio.change_account(|account| account.kind = "Trial");
    assert_eq!(code(&send(&twilio, &certs, ALICE).unwrap().1), 21608);
    twilio.change_account(|account| account.caller_ids = vec![ALICE.to_owned()]);
    assert_eq!(send(&twilio, &certs, ALICE).unwrap().0, 201);
    twilio.change_account(|account| account.status = "suspended");
    assert_eq!(code(&send(&twilio, &certs, ALICE).unwrap().1), 20005);
}

#[test]
fn every_row_of_the_table_gets_its_response() {
    let certs = Certs::new();
    let twilio = Twilio::start(&certs);
    for &(digits, name, case) in cases::TABLE {
        let number = cases::number(digits);
        let slow = matches!(
            case,
            Case::Broken(
                cases::Broken::BlackHole
                    | cases::Broken::DripBody
                    | cases::Broken::DripHead
                    | cases::Broken::HugeBody(_)
            )
        );
        if !slow {
            let answer = send(&twilio, &certs, &number);
            let wanted = match case {
                Case::Sent | Case::Dropped { .. } => Some(201),
                Case::Refused { http, .. } | Case::Literal { http, .. } => Some(http),
                Case::Busy(_) => Some(429),
                Case::Broken(_) => None,
            };
            match wanted {
                Some(http) => assert_eq!(answer.unwrap().0, http, "{name}"),
                None => assert!(answer.is_err(), "{name}: {answer:?}"),
            }
            assert_eq!(
                !twilio.sms_to(&number).is_empty(),
                case.delivers(),
                "{name}"
            );
        }
    }
}

#[test]
fn a_test_can_set_the_responses_for_a_number() {
    let certs = Certs::new();
    let twilio = Twilio::start(&certs);
    twilio.on(
        ALICE,
        &[
            Case::Refused {
                http: 503,
                code: 20500,
            },
            Case::Sent,
        ],
    );
    let statuses: Vec<u16> = (0..3)
        .map(|_| send(&twilio, &certs, ALICE).unwrap().0)
        .collect();
    assert_eq!(statuses, [503, 201, 201]);
    twilio.pause(Duration::from_millis(200));
    let start = Instant::now();
    send(&twilio, &certs, ALICE).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[test]
fn certificates_that_do_not_verify_are_refused() {
    let certs = Certs::new();
    for identity in Identity::ALL {
        let twilio = Twilio::start_as(&certs, identity);
        let answer = send(&twilio, &certs, ALICE);
        assert_eq!(
            answer.is_ok(),
            identity == Identity::Good,
            "{identity:?}: {answer:?}"
        );
    }
}

#[test]
fn segments_are_counted() {
    let rows = [
        ("x".repeat(160), 1),
        ("x".repeat(161), 2),
        ("€".repeat(81), 2),
    ];
    for (text, wanted) in rows {
        assert_eq!(replies::segments(&text), wanted);
    }
    assert_eq!(replies::segments(&"☎".repeat(70)), 1);
    assert_eq!(replies::segments(&"☎".repeat(71)), 2);
}

#[test]
fn it_can_listen_later() {
    let certs = Certs::new();
    let twilio = Twilio::down(&certs);
    assert!(send(&twilio, &certs, ALICE).is_err());
    assert_eq!(twilio.connections(), (0, 0));
    twilio.come_up();
    let before = Instant::now();
    assert_eq!(send(&twilio, &certs, ALICE).unwrap().0, 201);
    assert_eq!(twilio.connections(), (1, 1));
    assert!(twilio.opened()[0] > before);
}

#[test]
fn it_can_disconnect_before_a_request() {
    let certs = Certs::new();
    let twilio = Twilio::start(&certs);
    for (ended, how) in Disconnect::ALL.into_iter().enumerate() {
        twilio.disconnect_next(how);
        let answer = raw(&twilio, &certs, "");
        assert_eq!(answer.is_empty(), how != Disconnect::TimedOut, "{answer:?}");
        let until = Instant::now() + Duration::from_secs(5);
        while twilio.disconnected() == ended && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(twilio.disconnected(), ended + 1);
        assert_eq!(send(&twilio, &certs, ALICE).unwrap().0, 201);
    }
}
