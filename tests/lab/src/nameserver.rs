//! Fake name servers on loopback: one that resolves every name to 127.0.0.1, and one that does not answer,
//! as a name server that is down.
#![forbid(unsafe_code)]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

const HEAD: usize = 12;

/// A running name server. Its thread ends with the process.
#[derive(Debug)]
pub struct NameServer {
    address: Ipv4Addr,
    queries: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    /// Starts one that does not answer.
    pub fn silent() -> Self {
        Self::start(false)
    }

    /// Starts one that resolves every name to 127.0.0.1.
    pub fn answering() -> Self {
        Self::start(true)
    }

    fn start(answers: bool) -> Self {
        let (address, socket) = free();
        let queries = Arc::new(Mutex::new(Vec::new()));
        let names = Arc::clone(&queries);
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                let question = &question[..length];
                names.lock().expect("the names").push(name(question));
                if answers {
                    let answer = answer(question, Ipv4Addr::LOCALHOST, false);
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address, queries }
    }

    /// Returns its line in resolv.conf.
    pub fn line(&self) -> String {
        format!("nameserver {}\n", self.address)
    }

    /// Returns the name of each query.
    pub fn queries(&self) -> Vec<String> {
        self.queries.lock().expect("the names").clone()
    }
}

/// Binds port 53 of a loopback address that no other run uses.
fn free() -> (Ipv4Addr, UdpSocket) {
    let [.., high, low] = std::process::id().to_be_bytes();
    for last in 1..=254 {
        let address = Ipv4Addr::new(127, 64 | (high & 0x3f), low, last);
        match UdpSocket::bind((address, 53)) {
            Ok(socket) => return (address, socket),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => panic!("port 53 of {address}: {error}"),
        }
    }
    panic!("port 53 of all addresses is taken");
}

/// Decodes the name of a query (RFC 1035 section 3.1).
fn name(question: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut rest = &question[HEAD..];
    while let Some((&length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, next) = after.split_at(length.into());
        labels.push(String::from_utf8_lossy(label).into_owned());
        rest = next;
    }
    labels.join(".")
}

/// Encodes an answer (RFC 1035 section 4.1): the question, and one A record if it asks for one. With `cut`
/// it is truncated (TC), so that the client repeats the query by TCP.
pub fn answer(question: &[u8], address: Ipv4Addr, cut: bool) -> Vec<u8> {
    let name = question[HEAD..]
        .iter()
        .position(|byte| *byte == 0)
        .expect("the end of the name");
    let end = HEAD + name + 5;
    let wants_address = question[HEAD + name + 1..HEAD + name + 3] == [0, 1];
    let answers = u8::from(wants_address && !cut);
    let mut answer = question[..2].to_vec();
    // A response; recursion is available.
    let flags = if cut { 0x83 } else { 0x81 };
    answer.extend([flags, 0x80, 0, 1, 0, answers, 0, 0, 0, 0]);
    answer.extend(&question[HEAD..end]);
    if answers == 1 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}
