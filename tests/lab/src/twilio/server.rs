//! Connections of the fake Twilio: TLS, requests and responses, and all faulty responses.
#![forbid(unsafe_code)]

use super::Shared;
use super::api::{self, Answer};
use super::cases::{Broken, Case, RetryAfter};
use super::http::{self, Unreadable};
use super::phone::Sms;
use super::replies;
use crate::listeners::reset;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, SystemTime};

pub type Tls = StreamOwned<ServerConnection, TcpStream>;

/// Whether the connection stays open after a response.
enum After {
    Keep,
    Close,
}

/// Accepts connections until the process ends or the server is dropped.
pub fn serve(listener: &TcpListener, config: &Arc<ServerConfig>, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        if shared.closed.load(Ordering::SeqCst) {
            return;
        }
        let connection = shared.opened();
        let (config, shared) = (Arc::clone(config), Arc::clone(shared));
        // An error ends the connection, which the client notices.
        thread::spawn(move || {
            let _ = handle(stream, config, &shared, connection);
        });
    }
}

fn handle(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    shared: &Shared,
    connection: usize,
) -> io::Result<()> {
    // A small answer must not wait for an ACK that waits for the answer.
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let session = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut tls = StreamOwned::new(session, stream);
    while tls.conn.is_handshaking() {
        tls.conn.complete_io(&mut tls.sock)?;
    }
    shared.handshakes.fetch_add(1, Ordering::SeqCst);
    if let Some(how) = shared.take_disconnect() {
        let ended = how.end(tls);
        shared.disconnected.fetch_add(1, Ordering::SeqCst);
        return ended;
    }
    let mut buffer = Vec::new();
    loop {
        let request = match http::read(&mut tls, &mut buffer, connection) {
            Ok(request) => request,
            Err(Unreadable::Gone) => return Ok(()),
            Err(Unreadable::Wrong(status)) => {
                return send(
                    &mut tls,
                    &http::response(status, &[("Connection", "close")], ""),
                );
            }
        };
        shared
            .requests
            .lock()
            .expect("the request log")
            .push(request.clone());
        let serial = shared.serial.fetch_add(1, Ordering::SeqCst) + 1;
        let account = shared.account.lock().expect("the account").clone();
        let find = |sid: &str| shared.phones.all().into_iter().find(|sms| sms.sid == sid);
        let after = match api::evaluate(&account, &request, serial, find) {
            Answer::Plain(status, body) => {
                let body = body.to_string();
                send(
                    &mut tls,
                    &http::response(status, &[("Connection", "keep-alive")], &body),
                )?;
                After::Keep
            }
            Answer::Message(sms) => {
                let case = shared.case_for(&sms.to);
                thread::sleep(shared.pause());
                if case.delivers() {
                    shared.deliver(sms.clone());
                }
                let message = replies::message(&account, &sms, case).to_string();
                respond(&mut tls, case, &sms, &message)?
            }
        };
        let wants_close = request
            .header("connection")
            .is_some_and(|how| how.eq_ignore_ascii_case("close"));
        if wants_close || matches!(after, After::Close) {
            return Ok(());
        }
    }
}

fn respond(tls: &mut Tls, case: Case, sms: &Sms, message: &str) -> io::Result<After> {
    let from = sms.from.as_deref().unwrap_or_default();
    let text = match case {
        Case::Sent | Case::Dropped { .. } => http::response(201, &[], message),
        Case::Refused { http, code } => http::response(
            http,
            &[],
            &replies::error(http, code, &sms.to, from).to_string(),
        ),
        Case::Busy(retry) => {
            let date;
            let header = match retry {
                RetryAfter::Nothing => None,
                RetryAfter::Text(text) => Some(("Retry-After", text)),
                RetryAfter::Date(seconds) => {
                    let then = SystemTime::now() + Duration::from_secs(seconds);
                    date = httpdate::fmt_http_date(then);
                    Some(("Retry-After", date.as_str()))
                }
            };
            let body = replies::error(429, 20429, &sms.to, from).to_string();
            http::response(429, header.as_slice(), &body)
        }
        Case::Literal { http, header, body } => http::response(http, header.as_slice(), body),
        Case::Broken(broken) => return send_broken(tls, broken, message).map(|()| After::Close),
    };
    send(tls, &text)?;
    Ok(After::Keep)
}

fn send_broken(tls: &mut Tls, broken: Broken, message: &str) -> io::Result<()> {
    let whole = http::response(201, &[], message);
    match broken {
        Broken::CutBody => {
            send(tls, &whole[..whole.len() - message.len() / 2])?;
            tls.conn.send_close_notify();
            tls.conn.complete_io(&mut tls.sock).map(drop)
        }
        Broken::HugeBody(status) => {
            const SIZE: u64 = 1 << 30;
            send(tls, &http::head(status, &[], SIZE))?;
            let chunk = vec![b' '; 64 * 1024];
            for _ in 0..SIZE / 65_536 {
                tls.write_all(&chunk)?;
            }
            tls.flush()
        }
        Broken::DripBody => {
            let head = whole.len() - message.len();
            send(tls, &whole[..head])?;
            drip(tls, whole[head..].bytes())
        }
        Broken::DripHead => drip(tls, whole.bytes()),
        Broken::EndlessHead => {
            send(tls, "HTTP/1.1 201 CREATED\r\n")?;
            loop {
                send(tls, &"X-More: and more of it\r\n".repeat(100))?;
            }
        }
        Broken::Reset { .. } => {
            reset(&tls.sock);
            Ok(())
        }
        Broken::Close => {
            tls.conn.send_close_notify();
            tls.conn.complete_io(&mut tls.sock).map(drop)
        }
        Broken::BlackHole => {
            // Until the client closes.
            while !matches!(tls.read(&mut [0; 1024]), Ok(0) | Err(_)) {}
            Ok(())
        }
        Broken::Garbage => send(tls, "\u{0}\u{1b}[31mEHLO\r\n\r\n220 not HTTP\r\n"),
    }
}

fn drip(tls: &mut Tls, bytes: impl Iterator<Item = u8>) -> io::Result<()> {
    for byte in bytes {
        tls.write_all(&[byte])?;
        tls.flush()?;
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

pub fn send(tls: &mut Tls, text: &str) -> io::Result<()> {
    tls.write_all(text.as_bytes())?;
    tls.flush()
}
