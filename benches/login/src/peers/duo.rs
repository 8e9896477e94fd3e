//! A fake of Duo's Auth API as `pam_duo` 1.11 calls it (`/rest/v1/….bson`), for users with one device
//! that receives SMS. It ignores the signatures, which the client computes in any case.

use super::bson::{Field, document};
use crate::network::FAR;
use crate::testbed::{PASSWORD, TestUser, Testbed};
use lab::certs::Identity;
use lab::twilio::http::{self, Request};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashSet;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

/// The passcode of every SMS.
const PASSCODE: &str = "5550100";
/// The part of Duo's menu for users who have passcodes.
const HAS_CODES: &str = "next code starts with";

/// The API, which runs until the bench ends.
pub struct Duo {
    host: String,
}

#[derive(Default)]
struct Shared {
    /// The users with an unused passcode.
    sent: Mutex<HashSet<String>>,
}

impl Duo {
    pub fn start(testbed: &Testbed) -> Self {
        let config = testbed.lab().certs().server(Identity::Good).config();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port for Duo's API");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::<Shared>::default();
        // pam_duo matches certificates by name only, and the lab's has this one. /etc/hosts is private to
        // this mount namespace.
        let hosts = format!("{FAR} localhost\n");
        lab::scratch::write(Path::new("/etc/hosts"), 0o644, hosts);
        thread::spawn(move || serve(&listener, &config, &shared));
        Self {
            host: format!("localhost:{port}"),
        }
    }

    /// The value of pam_duo's setting `host`.
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// Answers with the password, then SMS from the menu, then the passcode.
pub fn answer(_: &Testbed, _: &TestUser, prompt: &str) -> String {
    let typed = match prompt {
        menu if menu.contains(HAS_CODES) => PASSCODE,
        menu if menu.contains("Passcode or option") => "1",
        _ => PASSWORD,
    };
    typed.to_owned()
}

fn serve(listener: &TcpListener, config: &Arc<ServerConfig>, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        let (config, shared) = (Arc::clone(config), Arc::clone(shared));
        // An error ends this connection only.
        thread::spawn(move || {
            let _ = converse(stream, config, &shared);
        });
    }
}

fn converse(stream: TcpStream, config: Arc<ServerConfig>, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let session = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut tls = StreamOwned::new(session, stream);
    let mut buffer = Vec::new();
    while let Ok(request) = http::read(&mut tls, &mut buffer, 0) {
        let body = respond(&request, shared);
        let status = if body.is_some() { 200 } else { 404 };
        let body = body.unwrap_or_default();
        // One write, so that the body does not wait for the acknowledgement of the head.
        let mut response = http::head(status, &[], body.len() as u64).into_bytes();
        response.extend(body);
        tls.write_all(&response)?;
        tls.flush()?;
    }
    Ok(())
}

fn respond(request: &Request, shared: &Shared) -> Option<Vec<u8>> {
    let form = String::from_utf8_lossy(&request.body);
    let value = |name: &str| {
        let mut pairs = form.split('&').chain(request.query.split('&'));
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    let mut sent = shared.sent.lock().expect("the lock of the users");
    let response = match request.path.as_str() {
        "/rest/v1/preauth.bson" => menu(sent.contains(value("user")?)),
        "/rest/v1/auth.bson" => {
            let (user, code) = (value("user")?, value("auto")?);
            let outcome = if code == "sms1" {
                sent.insert(user.to_owned());
                "sent"
            } else if code == PASSCODE && sent.remove(user) {
                "in"
            } else {
                "out"
            };
            // The reply to an asynchronous request has the id of the transaction.
            if value("async") == Some("1") {
                document(&[Field::Text("txid", outcome)])
            } else {
                status(outcome)
            }
        }
        "/rest/v1/status.bson" => status(value("txid")?),
        _ => return None,
    };
    Some(document(&[
        Field::Text("stat", "OK"),
        Field::Document("response", response),
    ]))
}

fn menu(has_codes: bool) -> Vec<u8> {
    let hint = if has_codes {
        format!(" ({HAS_CODES}: {})", &PASSCODE[..1])
    } else {
        String::new()
    };
    let prompt = format!(
        "Duo two-factor login\n\nEnter a passcode or select one of the following options:\n\n \
         1. SMS passcodes to XXX-XXX-0100{hint}\n\nPasscode or option (1-1): "
    );
    let factors = document(&[Field::Text("default", "sms1"), Field::Text("1", "sms1")]);
    document(&[
        Field::Text("result", "auth"),
        Field::Text("prompt", &prompt),
        Field::Document("factors", factors),
    ])
}

fn status(outcome: &str) -> Vec<u8> {
    let (result, text) = match outcome {
        "sent" => ("deny", "New SMS passcodes sent."),
        "in" => ("allow", "Success. Logging you in..."),
        _ => ("deny", "Incorrect passcode. Please try again."),
    };
    document(&[Field::Text("result", result), Field::Text("status", text)])
}
