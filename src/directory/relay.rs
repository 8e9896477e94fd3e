//! Forwards bytes between the server's connection and the LDAP library, one direction unchanged, the
//! other message by message after a check.
//!
//! The library gets one end of a pair of local sockets and never touches the network. So TLS is done
//! here (with the server's real name, IPv6 included, and no roots but those of the settings), and nothing
//! unchecked reaches the library's parser (see [`validate`](super::validate)).
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
    failures,
    validate::{self, Request, Violation},
};
use crate::failure::Failure;

/// A request up to this length is sent in one piece, hence in one TLS record.
const REQUEST_BUFFER: usize = 16 * 1024;

/// Bytes accepted from a server in one connection: a few entries, and references beside them.
const MAX_RECEIVED: usize = 4 * validate::MAX_MESSAGE;

/// State that both sides of a connection share.
#[derive(Default)]
pub struct ConnState {
    is_searching: AtomicBool,
    /// Why the connection has ended, once it has.
    failure: OnceLock<Failure>,
}

impl ConnState {
    /// Sets which request is sent next.
    pub fn expect(&self, request: Request) {
        self.is_searching
            .store(request == Request::Search, Ordering::Release);
    }

    fn request(&self) -> Request {
        if self.is_searching.load(Ordering::Acquire) {
            Request::Search
        } else {
            Request::Bind
        }
    }

    /// Returns why the connection has ended, if it has.
    pub fn failure(&self) -> Option<Failure> {
        self.failure.get().cloned()
    }

    /// Records why the connection ends. Only the first reason is kept.
    fn fail(&self, failure: Failure) {
        let _ = self.failure.set(failure);
    }

    /// Runs a task of this connection. A panic in it is a local failure, whatever caused it, and is
    /// recorded before the end of the task can be noticed.
    pub async fn run(&self, server: &str, task: impl Future<Output = Result<(), io::Error>>) {
        let guard = PanicGuard(self, server);
        let result = task.await;
        std::mem::forget(guard);
        if let Err(error) = result {
            self.fail(failures::local_socket(server, &error));
        }
    }
}

/// Records a panic when it is dropped by one.
struct PanicGuard<'a>(&'a ConnState, &'a str);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(failures::panicked(self.1));
        }
    }
}

/// Why forwarding stops.
enum Stop {
    /// The library has closed its end, because it could not continue.
    Library,
    /// The socket pair has failed.
    LocalSocket(io::Error),
    Invalid(Violation),
    Server(io::Error),
}

/// Forwards until one side ends, and records the reason *before* the library sees its socket closed.
pub async fn forward<S>(server: S, mut library: UnixStream, state: &ConnState, name: &str)
where
    S: AsyncRead + AsyncWrite,
{
    let (mut from_server, mut to_server) = split(server);
    let (mut from_library, mut to_library) = library.split();
    let stop = tokio::select! {
        stop = forward_requests(&mut from_library, &mut to_server) => stop,
        stop = forward_responses(&mut from_server, &mut to_library, state) => stop,
    };
    state.fail(match stop {
        Stop::Library => failures::not_ldap(name),
        Stop::LocalSocket(error) => failures::local_socket(name, &error),
        Stop::Invalid(violation) => failures::invalid(name, violation),
        Stop::Server(error) => failures::io(name, &error),
    });
}

/// Requests hold passwords, so the buffer is wiped.
async fn forward_requests(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Stop {
    let mut buffer = Zeroizing::new(vec![0; REQUEST_BUFFER]);
    loop {
        let sent = match from.read(&mut buffer).await {
            Ok(0) => return Stop::Library,
            Err(error) => return Stop::LocalSocket(error),
            Ok(read) => write_once(buffer.get(..read).unwrap_or_default(), to).await,
        };
        if let Err(error) = sent.and(to.flush().await) {
            return Stop::Server(error);
        }
    }
}

/// Writes all bytes, none of them twice. `write_all` would write them twice: after EINTR it passes the
/// same bytes again, which TLS has accepted already. A repeated bind would count twice in the directory's
/// account lock.
async fn write_once(bytes: &[u8], to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = to.write(rest).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest = rest.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Forwards whole messages that have passed the check.
async fn forward_responses(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    state: &ConnState,
) -> Stop {
    let mut buffer = ReceiveBuffer::default();
    loop {
        match buffer.next_message() {
            Err(violation) => return Stop::Invalid(violation),
            Ok(Some(message)) => {
                if let Err(violation) = validate::check(&message, state.request()) {
                    return Stop::Invalid(violation);
                }
                if let Err(error) = to.write_all(&message).await {
                    return match error.kind() {
                        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Stop::Library,
                        _ => Stop::LocalSocket(error),
                    };
                }
            }
            Ok(None) => match buffer.fill(from).await {
                Ok(()) => (),
                Err(stop) => return stop,
            },
        }
    }
}

/// Bytes from a server that are not checked yet.
#[derive(Default)]
struct ReceiveBuffer {
    bytes: Vec<u8>,
    /// Number of bytes received on this connection.
    received: usize,
}

impl ReceiveBuffer {
    /// Removes the first message, if all of it is there.
    fn next_message(&mut self) -> Result<Option<Vec<u8>>, Violation> {
        match validate::message_length(&self.bytes)? {
            Some(length) if length <= self.bytes.len() => {
                Ok(Some(self.bytes.drain(..length).collect()))
            }
            _ => Ok(None),
        }
    }

    /// Waits for more bytes.
    async fn fill(&mut self, from: &mut (impl AsyncRead + Unpin)) -> Result<(), Stop> {
        let mut chunk = [0; 4096];
        let read = from.read(&mut chunk).await.map_err(Stop::Server)?;
        if read == 0 {
            return Err(Stop::Server(io::ErrorKind::UnexpectedEof.into()));
        }
        self.received = self.received.saturating_add(read);
        if self.received > MAX_RECEIVED {
            return Err(Stop::Invalid(Violation::TooLong));
        }
        self.bytes
            .extend_from_slice(chunk.get(..read).unwrap_or_default());
        Ok(())
    }
}

/// Requests `StartTLS` (RFC 4511 §4.14) on a connection that has not been used yet, and returns the result
/// code.
pub async fn start_tls<S>(server: &mut S, name: &str) -> Result<u32, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Message 1, `[APPLICATION 23]`, name `1.3.6.1.4.1.1466.20037`.
    const REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
    let invalid = |violation| failures::invalid(name, violation);
    let io = |error: io::Error| failures::io(name, &error);
    server.write_all(REQUEST).await.map_err(io)?;
    let mut buffer = ReceiveBuffer::default();
    let message = loop {
        match buffer.next_message().map_err(invalid)? {
            Some(message) => break message,
            None => match buffer.fill(server).await {
                Err(Stop::Server(error)) => return Err(io(error)),
                Err(Stop::Invalid(violation)) => return Err(invalid(violation)),
                Err(Stop::Library | Stop::LocalSocket(_)) | Ok(()) => (),
            },
        }
    };
    // Bytes that follow the response in clear text were injected by an attacker, to be taken for
    // something that was received under TLS.
    if !buffer.bytes.is_empty() {
        return Err(invalid(Violation::Unexpected));
    }
    validate::start_tls_result(&message, 1).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use super::*;
    use crate::failure::FailureKind;

    /// Accepts what is written, but reports EINTR the first time, as TLS does when its own system call
    /// was interrupted.
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
        let sent = runtime.block_on(write_once(b"bind", &mut server));
        assert!(sent.is_err());
        assert_eq!(server.0, b"bind");
    }

    fn failure(
        task: impl Future<Output = Result<(), io::Error>> + Send + 'static,
    ) -> Option<Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        let state = std::sync::Arc::new(ConnState::default());
        let shared = std::sync::Arc::clone(&state);
        let task = async move { shared.run("ldap://x", task).await };
        // A panic ends the task only.
        let _ = runtime.block_on(async { tokio::spawn(task).await });
        state.failure()
    }

    #[test]
    fn a_panic_or_a_failed_local_socket_is_not_an_outage() {
        assert_eq!(failure(async { Ok(()) }), None);
        for failure in [
            failure(async { panic!("unexpected response") }),
            failure(async { Err(io::Error::from_raw_os_error(12)) }),
        ] {
            let kind = failure.map(|failure| failure.kind);
            assert_eq!(kind, Some(FailureKind::Local));
        }
    }
}
