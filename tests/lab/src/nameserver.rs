//! Name servers on loopback: one that answers every name with 127.0.0.1, and one that never answers,
//! which is what a dead one looks like to the C library.
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
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    /// Answers nobody.
    pub fn silent() -> Self {
        Self::start(false)
    }

    /// Answers every name with 127.0.0.1.
    pub fn answering() -> Self {
        Self::start(true)
    }

    fn start(answers: bool) -> Self {
        let (address, socket) = free();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let names = Arc::clone(&asked);
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
        Self { address, asked }
    }

    /// Its line in resolv.conf.
    pub fn line(&self) -> String {
        format!("nameserver {}\n", self.address)
    }

    /// Every name it was asked for, once for each question.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the names").clone()
    }
}

/// Port 53 of an address on loopback that no other run has taken.
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

/// The name in a question (RFC 1035 section 3.1).
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

/// RFC 1035 section 4.1: the question again, and one A record if it asks for one; cut off (TC), so that
/// it is asked for again by TCP.
pub fn answer(question: &[u8], address: Ipv4Addr, cut: bool) -> Vec<u8> {
    let name = question[HEAD..]
        .iter()
        .position(|byte| *byte == 0)
        .expect("a name's end");
    let end = HEAD + name + 5;
    let wants_address = question[HEAD + name + 1..HEAD + name + 3] == [0, 1];
    let answers = u8::from(wants_address && !cut);
    let mut answer = question[..2].to_vec();
    // An answer, recursion available.
    let flags = if cut { 0x83 } else { 0x81 };
    answer.extend([flags, 0x80, 0, 1, 0, answers, 0, 0, 0, 0]);
    answer.extend(&question[HEAD..end]);
    if answers == 1 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}
