//! Between the server's connection and the LDAP library: bytes one way, checked messages the
//! other.
//!
//! The library is given one end of a pair of local sockets, and so never touches the network. This
//! leaves TLS to us (the true name of the server, IPv6 too, and no roots but those settled), and
//! lets nothing unexamined reach its parser (see [`gate`](super::gate)).
#![forbid(unsafe_code)]

use std::{
    future::Future,
    io,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::UnixStream,
};
use zeroize::Zeroizing;

use super::{
    Error,
    gate::{self, Awaited, Breach},
    session,
};
use crate::net;

/// A request is sent in one piece, hence in one TLS record, if it is no longer than this.
const REQUEST: usize = 16 * 1024;

/// Most that a server may say in one connection: a few entries, and references beside them.
const MOST: usize = 4 * gate::LONGEST;

/// What a connection's two sides know of each other.
#[derive(Default)]
pub struct Line {
    searching: AtomicBool,
    /// Why the connection has ended, once it has.
    end: OnceLock<Error>,
}

impl Line {
    /// Says what is asked next.
    pub fn expect(&self, awaited: Awaited) {
        self.searching
            .store(awaited == Awaited::Search, Ordering::Release);
    }

    fn awaited(&self) -> Awaited {
        if self.searching.load(Ordering::Acquire) {
            Awaited::Search
        } else {
            Awaited::Bind
        }
    }

    /// Why the connection has ended, if it has.
    pub fn end(&self) -> Option<Error> {
        self.end.get().cloned()
    }

    /// Says why, if nobody has said so before.
    fn ends(&self, why: Error) {
        let _ = self.end.set(why);
    }

    /// Runs what serves this connection. A panic in it is one of ours, whatever has brought it
    /// about, and is on the line before anybody can miss the task that it has ended.
    pub async fn serve(&self, name: &str, task: impl Future<Output = Result<(), io::Error>>) {
        let alarm = Alarm(self, name);
        let ended = task.await;
        std::mem::forget(alarm);
        if let Err(error) = ended {
            // Its socket leads to us.
            self.ends(session::local(&format!("{name}: a local socket"), &error));
        }
    }
}

/// Dropped by a panic only.
struct Alarm<'a>(&'a Line, &'a str);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.ends(panicked(self.1));
        }
    }
}

/// What is said of a panic on the way to a server.
pub fn panicked(name: &str) -> Error {
    Error::Local(format!(
        "{name}: the LDAP client panicked; please report it"
    ))
}

/// Why carrying stops.
enum Stop {
    /// The library has closed its end: it could not go on.
    Library,
    /// The socket between it and us has failed.
    Between(io::Error),
    Breach(Breach),
    Broken(io::Error),
}

/// Carries until one of the two has had enough, and leaves the reason on the line *before* the
/// library sees its socket closed.
pub async fn carry<S>(server: S, mut library: UnixStream, line: &Line, name: &str)
where
    S: AsyncRead + AsyncWrite,
{
    let (mut from_server, mut to_server) = split(server);
    let (mut from_library, mut to_library) = library.split();
    let stop = tokio::select! {
        stop = requests(&mut from_library, &mut to_server) => stop,
        stop = answers(&mut from_server, &mut to_library, line) => stop,
    };
    line.ends(match stop {
        Stop::Library => Error::Outage(format!("{name}: what it sends is not LDAP")),
        Stop::Between(e) => session::local(&format!("{name}: a local socket"), &e),
        Stop::Breach(breach) => Error::Outage(format!("{name}: {breach}")),
        Stop::Broken(e) => broken(name, &e),
    });
}

/// Requests on their way. They hold passwords, so nothing of them stays behind.
async fn requests(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> Stop {
    let mut buffer = Zeroizing::new(vec![0; REQUEST]);
    loop {
        let sent = match from.read(&mut buffer).await {
            Ok(0) => return Stop::Library,
            Err(e) => return Stop::Between(e),
            Ok(read) => once(buffer.get(..read).unwrap_or_default(), to).await,
        };
        if let Err(e) = sent.and(to.flush().await) {
            return Stop::Broken(e);
        }
    }
}

/// Writes all of it, and nothing twice. `write_all` would: it hands the same bytes over again after
/// EINTR, which TLS has taken by then. A bind would count twice in the directory's lock.
async fn once(bytes: &[u8], to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let taken = to.write(rest).await?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(())
}

/// Answers on their way, one whole message after the other.
async fn answers(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    line: &Line,
) -> Stop {
    let mut inbox = Inbox::default();
    loop {
        match inbox.message() {
            Err(breach) => return Stop::Breach(breach),
            Ok(Some(message)) => {
                if let Err(breach) = gate::admit(&message, line.awaited()) {
                    return Stop::Breach(breach);
                }
                if let Err(e) = to.write_all(&message).await {
                    return match e.kind() {
                        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Stop::Library,
                        _ => Stop::Between(e),
                    };
                }
            }
            Ok(None) => match inbox.fill(from).await {
                Ok(()) => (),
                Err(stop) => return stop,
            },
        }
    }
}

/// What a server has sent and nobody has looked at yet.
#[derive(Default)]
struct Inbox {
    bytes: Vec<u8>,
    /// How many came, over all.
    seen: usize,
}

impl Inbox {
    /// The next whole message, if it is there.
    fn message(&mut self) -> Result<Option<Vec<u8>>, Breach> {
        match gate::frame(&self.bytes)? {
            Some(length) if length <= self.bytes.len() => {
                Ok(Some(self.bytes.drain(..length).collect()))
            }
            _ => Ok(None),
        }
    }

    /// Waits for more.
    async fn fill(&mut self, from: &mut (impl AsyncRead + Unpin)) -> Result<(), Stop> {
        let mut piece = [0; 4096];
        let read = from.read(&mut piece).await.map_err(Stop::Broken)?;
        if read == 0 {
            return Err(Stop::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        self.seen = self.seen.saturating_add(read);
        if self.seen > MOST {
            return Err(Stop::Breach(Breach::TooLong));
        }
        self.bytes
            .extend_from_slice(piece.get(..read).unwrap_or_default());
        Ok(())
    }
}

/// Asks a server to go on under TLS (RFC 4511 §4.14), on a connection that has not been used yet,
/// and gives its result code.
pub async fn start_tls<S>(server: &mut S, name: &str) -> Result<u32, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Message 1, `[APPLICATION 23]`, name `1.3.6.1.4.1.1466.20037`.
    const REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
    let breach = |breach: Breach| Error::Outage(format!("{name}: {breach}"));
    server
        .write_all(REQUEST)
        .await
        .map_err(|e| broken(name, &e))?;
    let mut inbox = Inbox::default();
    let message = loop {
        match inbox.message().map_err(breach)? {
            Some(message) => break message,
            None => match inbox.fill(server).await {
                Err(Stop::Broken(e)) => return Err(broken(name, &e)),
                Err(Stop::Breach(why)) => return Err(breach(why)),
                Err(Stop::Library | Stop::Between(_)) | Ok(()) => (),
            },
        }
    };
    // What came behind the answer in clear was put there by somebody on the way, to be taken for
    // something said under TLS.
    if !inbox.bytes.is_empty() {
        return Err(breach(Breach::Unasked));
    }
    gate::start_tls_answer(&message, 1).map_err(breach)
}

/// A connection that failed, in a handshake or later.
pub fn broken(name: &str, error: &io::Error) -> Error {
    net::Error::io(name, error).into()
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use super::*;

    /// Takes what it is given, and says the first time that it was interrupted: as TLS does when the
    /// system's call was.
    struct Interrupted(Vec<u8>);

    impl AsyncWrite for Interrupted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let first = self.0.is_empty();
            self.0.extend_from_slice(bytes);
            Poll::Ready(if first {
                Err(io::ErrorKind::Interrupted.into())
            } else {
                Ok(bytes.len())
            })
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn an_interrupted_request_is_not_sent_twice() {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        let mut server = Interrupted(Vec::new());
        let sent = runtime.block_on(once(b"bind", &mut server));
        assert!(sent.is_err());
        assert_eq!(server.0, b"bind");
    }

    fn ends(task: impl Future<Output = Result<(), io::Error>> + Send + 'static) -> Option<Error> {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        let line = std::sync::Arc::new(Line::default());
        let served = std::sync::Arc::clone(&line);
        let task = async move { served.serve("ldap://x", task).await };
        // A panic ends the task, and is nobody else's.
        let _ = runtime.block_on(async { tokio::spawn(task).await });
        line.end()
    }

    #[test]
    fn a_panic_or_a_socket_of_ours_is_no_outage() {
        assert_eq!(ends(async { Ok(()) }), None);
        for end in [
            ends(async { panic!("an odd answer") }),
            ends(async { Err(io::Error::from_raw_os_error(12)) }),
        ] {
            assert!(matches!(end, Some(Error::Local(_))), "{end:?}");
        }
    }
}
