//! Texts that Twilio limits, and texts that expire.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn after_a_429_the_text_is_posted_again() {
    let date = "Date: Thu, 01 Oct 2026 12:00:00 GMT\r\n";
    for headers in [
        "Retry-After: 0\r\n".to_owned(),
        "Retry-After: 1\r\n".to_owned(),
        format!("{date}Retry-After: Thu, 01 Oct 2026 12:00:01 GMT\r\n"),
        format!("{date}Retry-After: Thu, 01 Oct 2026 11:00:00 GMT\r\n"),
        // Before the current time of every clock.
        "Retry-After: Thu, 01 Jan 1970 00:00:01 GMT\r\n".to_owned(),
    ] {
        let server = FakeServer::new(None, vec![busy(&headers), created()]);
        let began = Moment::now();
        let sent = send(&settings(server.address.port(), None), LONG).unwrap();
        let took = Moment::now().since(began);
        assert!(took >= Duration::from_secs(1), "{headers:?} {took:?}");
        assert!(took < Duration::from_secs(4), "{headers:?} {took:?}");
        assert!(sent.took >= Duration::from_secs(1));
        let requests = server.finish();
        assert_eq!(requests.len(), 2);
        let parts = requests.iter().map(|request| {
            let (form, valid) = request.rsplit_once("&ValidityPeriod=").unwrap();
            (form, valid.parse::<u64>().unwrap())
        });
        let parts: Vec<_> = parts.collect();
        assert_eq!(parts[0].0, parts[1].0);
        assert_eq!(parts[0].1, 300);
        assert!((296..300).contains(&parts[1].1), "{parts:?}");
    }
}

#[test]
fn a_text_is_posted_again_three_times_at_most() {
    let server = FakeServer::new(None, vec![busy("Retry-After: 0\r\n"); 5]);
    let port = server.address.port();
    let error = send(&settings(port, None), LONG).unwrap_err();
    assert_eq!(error.failure.kind, FailureKind::Limited);
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn there_is_no_wait_beyond_the_deadline() {
    let server = FakeServer::new(None, vec![busy("Retry-After: 2\r\n")]);
    let began = Moment::now();
    let error = send(
        &settings(server.address.port(), None),
        Duration::from_millis(1500),
    )
    .unwrap_err();
    assert_eq!(error.failure.kind, FailureKind::Limited);
    assert!(Moment::now().since(began) < Duration::from_secs(1));
    server.finish();
}

#[test]
fn an_expired_text_is_not_sent() {
    let send = |server: &FakeServer, valid| {
        let twilio = Twilio::new(&settings(server.address.port(), None));
        let text = Secret::new(TEXT.to_owned());
        twilio.deliver(None, TO, &text, valid, Deadline::within(LONG))
    };
    // The wait that Twilio requests is longer than the validity.
    let server = FakeServer::new(None, vec![busy("Retry-After: 3\r\n"), created()]);
    let began = Moment::now();
    let error = send(&server, Duration::from_secs(2)).unwrap_err();
    check_texts(&error);
    assert_eq!(error.failure.kind, FailureKind::Limited);
    assert!(Moment::now().since(began) < Duration::from_secs(2));
    assert_eq!(server.requests().len(), 1);
    // Connecting takes longer than the validity.
    let server = FakeServer::new(None, vec![created()]);
    let error = send(&server, Duration::from_nanos(1)).unwrap_err();
    check_texts(&error);
    assert_eq!(error.failure.kind, FailureKind::Outage);
    assert!(server.finish().concat().is_empty());
}
