//! Directories that go away in the middle, or talk nonsense under TLS.

use lab::certs::{Certs, Identity};
use lab::listeners;
use rustls::{ServerConnection, Stream};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Close,
    Reset,
}

/// Whose bytes are counted.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    Client,
    Server,
}

/// A way to this directory that is cut after so many bytes of one side's: its URI.
pub fn cutting(directory: &str, side: Side, after: usize, how: Cut) -> String {
    let server = directory
        .strip_prefix("ldaps://")
        .expect("ldaps")
        .to_owned();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    let port = listener.local_addr().expect("its address").port();
    // One connection; the next is refused.
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
        // A good end is passed on; a reset must be the last that is heard.
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
        // It is sent when both threads have let go: nothing to read any more wakes the other one.
        Cut::Reset => {
            listeners::reset(client);
            client.shutdown(Shutdown::Read)?;
        }
    }
    server.shutdown(Shutdown::Both)
}

/// What a directory says instead of an answer.
#[derive(Clone, Copy, Debug)]
pub enum Nonsense {
    /// Sequences in each other, no longer than an answer may be: a parser that recurses runs out of
    /// stack.
    Deep,
    /// The first bytes of an answer of a gigabyte.
    Announced,
    /// That answer itself.
    Endless,
    /// Answers that nobody asked for, one after the other.
    Flood,
}

/// A server of nonsense, and how much of it was said.
pub struct Talking {
    pub uri: String,
    said: Arc<AtomicUsize>,
}

impl Talking {
    pub fn said(&self) -> usize {
        self.said.load(Ordering::SeqCst)
    }
}

pub fn talking(certs: &Certs, nonsense: Nonsense) -> Talking {
    let config = certs.server(Identity::Good).config();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    let port = listener.local_addr().expect("its address").port();
    let said = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&said);
    thread::spawn(move || {
        for mut tcp in listener.incoming().flatten() {
            let mut tls = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let _ = tcp.set_write_timeout(Some(Duration::from_secs(20)));
            let _ = talk(&mut Stream::new(&mut tls, &mut tcp), nonsense, &count);
        }
    });
    Talking {
        uri: format!("ldaps://127.0.0.1:{port}"),
        said,
    }
}

/// Says it once the first request is there.
fn talk(to: &mut impl ReadWrite, nonsense: Nonsense, count: &AtomicUsize) -> io::Result<()> {
    let mut request = [0; 1024];
    let length = to.read(&mut request)?;
    let mut say = |bytes: &[u8]| -> io::Result<()> {
        // Piece by piece: it may be taken in part.
        for piece in bytes.chunks(1 << 12) {
            // Before it is: the login may be over when this thread comes to run again.
            count.fetch_add(piece.len(), Ordering::SeqCst);
            to.write_all(piece)?;
        }
        Ok(())
    };
    match nonsense {
        _ if length == 0 => return Ok(()),
        Nonsense::Deep => say(&deep())?,
        Nonsense::Announced => say(&[0x30, 0x84, 0x40, 0, 0, 0])?,
        Nonsense::Endless => {
            say(&[
                0x30, 0x84, 0x40, 0, 0, 0, 2, 1, 1, 0x61, 0x84, 0x3f, 0xff, 0xff, 0,
            ])?;
            for _ in 0..1 << 18 {
                say(&[0; 1 << 12])?;
            }
        }
        Nonsense::Flood => {
            // Message 9, a reference to nowhere.
            let one = [0x30, 8, 2, 1, 9, 0x73, 3, 4, 1, b'x'];
            for _ in 0..1 << 14 {
                say(&one.repeat(1 << 12))?;
            }
        }
    }
    // Until the other end goes.
    while to.read(&mut request)? > 0 {}
    Ok(())
}

/// BER whose lengths are all right.
fn deep() -> Vec<u8> {
    let mut deep = vec![4, 0];
    while deep.len() < 200_000 {
        let length = u32::try_from(deep.len()).expect("a length").to_be_bytes();
        let mut outer = vec![0x30, 0x84];
        outer.extend(length);
        // Built from the inside: the front grows.
        outer.append(&mut deep);
        deep = outer;
    }
    deep
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}
