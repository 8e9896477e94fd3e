//! Responses that are slow, late or endless.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn a_response_is_waited_for_until_timeout_or_deadline() {
    let reply = format!("HTTP/1.1 201 CREATED\r\nContent-Length: 43\r\n\r\n{{\"sid\":\"{SID}\"}}");
    let half = Duration::from_millis(500);
    for (timeout, deadline) in [(half, LONG), (LONG, half)] {
        for (behavior, expected) in [
            (Behavior::Silent, "outage -"),
            // The status line arrives at once, the rest never.
            (
                Behavior::Endless(b"HTTP/1.1 201 CREATED\r\n".to_vec(), Vec::new()),
                "outage -",
            ),
            (
                Behavior::Drip(reply.clone().into_bytes(), Duration::from_millis(30)),
                "outage -",
            ),
        ] {
            let server = FakeServer::new(None, vec![behavior.clone()]);
            let mut settings = settings(server.address.port(), None);
            settings.timeout = timeout;
            let began = Moment::now();
            let result = send(&settings, deadline);
            let took = Moment::now().since(began);
            assert_eq!(outcome(&result), expected, "{behavior:?}: {result:?}");
            assert!(took >= Duration::from_millis(490), "{behavior:?} {took:?}");
            assert!(took < Duration::from_secs(2), "{behavior:?} {took:?}");
        }
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
        let Behavior::Reply(reply) = created() else {
            panic!()
        };
        tcp.write_all(&reply).unwrap();
        tcp.shutdown(Shutdown::Write).unwrap();
        // Closing with unread bytes would reset the connection, and the reply could be lost.
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
fn a_201_without_the_end_of_its_body_is_sent() {
    let head = b"HTTP/1.1 201 CREATED\r\nContent-Length: 43\r\n\r\n".to_vec();
    let server = FakeServer::new(None, vec![Behavior::Endless(head, Vec::new())]);
    let mut settings = settings(server.address.port(), None);
    settings.timeout = Duration::from_millis(500);
    assert_eq!(outcome(&send(&settings, LONG)), "sent ?");
}

#[test]
fn a_body_of_a_gigabyte_is_not_read() {
    let head = b"HTTP/1.1 201 CREATED\r\nContent-Length: 1073741824\r\n\r\n{\"a\":\"".to_vec();
    let server = FakeServer::new(None, vec![Behavior::Endless(head, vec![b'x'; 65536])]);
    let began = Moment::now();
    let result = send(&settings(server.address.port(), None), LONG);
    assert_eq!(outcome(&result), "sent ?");
    assert!(Moment::now().since(began) < Duration::from_secs(5));
}
