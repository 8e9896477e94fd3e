//! Directories that close the connection early, or send malformed messages over TLS.

use lab::certs::{Certs, Identity};
use lab::listeners;
use rustls::{ServerConnection, Stream};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How a connection is closed.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Close,
    Reset,
}

/// The side whose bytes are counted.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    Client,
    Server,
}

/// Starts a proxy to this directory that closes the connection after `after` bytes of one side; returns its URI.
pub fn cutting(directory: &str, side: Side, after: usize, how: Cut) -> String {
    let server = directory
        .strip_prefix("ldaps://")
        .expect("ldaps")
        .to_owned();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    let port = listener.local_addr().expect("its address").port();
    // One connection only.
    thread::spawn(move || {
        let Ok((client, _)) = listener.accept() else {
            return;
        };
        drop(listener);
        let _ = relay(&client, &server, side, after, how);
    });
    format!("ldaps://127.0.0.1:{port}")
}

fn relay(client: &TcpStream, server: &str, side: Side, after: usize, how: Cut) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    let (counted, other) = match side {
        Side::Client => (client, &server),
        Side::Server => (&server, client),
    };
    let (mut from, mut to) = (other.try_clone()?, counted.try_clone()?);
    let is_cut = Arc::new(AtomicBool::new(false));
    let was_cut = Arc::clone(&is_cut);
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        // A normal end is passed on; nothing may follow a reset.
        if !was_cut.load(Ordering::SeqCst) {
            let _ = to.shutdown(Shutdown::Both);
        }
    });
    let (mut from, mut to) = (counted, other);
    let mut left = after;
    let mut bytes = [0; 64];
    while left > 0 {
        let most = left.min(bytes.len());
        let length = from.read(&mut bytes[..most])?;
        if length == 0 {
            return to.shutdown(Shutdown::Both);
        }
        to.write_all(&bytes[..length])?;
        left -= length;
    }
    is_cut.store(true, Ordering::SeqCst);
    match how {
        Cut::Close => client.shutdown(Shutdown::Both)?,
        // It is sent once both threads have ended: the shutdown wakes the other one.
        Cut::Reset => {
            listeners::reset(client);
            client.shutdown(Shutdown::Read)?;
        }
    }
    server.shutdown(Shutdown::Both)
}

/// The message that is sent instead of a response.
#[derive(Clone, Copy, Debug)]
pub enum Malformed {
    /// Nested sequences within the maximum length of a response: a recursive parser would overflow its
    /// stack.
    Deep,
    /// The first bytes of a response of a gigabyte.
    Announced,
    /// That response itself.
    Endless,
    /// An endless sequence of unsolicited messages.
    Flood,
}

/// A server with malformed responses, and how many bytes it has sent.
pub struct MalformedServer {
    pub uri: String,
    sent: Arc<AtomicUsize>,
}

impl MalformedServer {
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

pub fn malformed(certs: &Certs, malformed: Malformed) -> MalformedServer {
    let config = certs.server(Identity::Good).config();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    let port = listener.local_addr().expect("its address").port();
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    thread::spawn(move || {
        for mut tcp in listener.incoming().flatten() {
            let mut tls = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let _ = tcp.set_write_timeout(Some(Duration::from_secs(20)));
            let _ = respond(&mut Stream::new(&mut tls, &mut tcp), malformed, &count);
        }
    });
    MalformedServer {
        uri: format!("ldaps://127.0.0.1:{port}"),
        sent,
    }
}

/// Sends the message after the first request.
fn respond(to: &mut impl ReadWrite, malformed: Malformed, count: &AtomicUsize) -> io::Result<()> {
    let mut request = [0; 1024];
    let length = to.read(&mut request)?;
    let mut send = |bytes: &[u8]| -> io::Result<()> {
        // In pieces: only a part may be accepted.
        for piece in bytes.chunks(1 << 12) {
            // Counted before the write: the login may be over when this thread runs again.
            count.fetch_add(piece.len(), Ordering::SeqCst);
            to.write_all(piece)?;
        }
        Ok(())
    };
    match malformed {
        _ if length == 0 => return Ok(()),
        Malformed::Deep => send(&deep())?,
        Malformed::Announced => send(&[0x30, 0x84, 0x40, 0, 0, 0])?,
        Malformed::Endless => {
            send(&[
                0x30, 0x84, 0x40, 0, 0, 0, 2, 1, 1, 0x61, 0x84, 0x3f, 0xff, 0xff, 0,
            ])?;
            for _ in 0..1 << 18 {
                send(&[0; 1 << 12])?;
            }
        }
        Malformed::Flood => {
            // Message 9, a search result reference.
            let one = [0x30, 8, 2, 1, 9, 0x73, 3, 4, 1, b'x'];
            for _ in 0..1 << 14 {
                send(&one.repeat(1 << 12))?;
            }
        }
    }
    // Until the client disconnects.
    while to.read(&mut request)? > 0 {}
    Ok(())
}

/// Nested BER with correct lengths.
fn deep() -> Vec<u8> {
    let mut deep = vec![4, 0];
    while deep.len() < 200_000 {
        let length = u32::try_from(deep.len()).expect("a length").to_be_bytes();
        let mut outer = vec![0x30, 0x84];
        outer.extend(length);
        // Built from the inside out.
        outer.append(&mut deep);
        deep = outer;
    }
    deep
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}
