//! A name server that resolves every name to 127.0.0.9, for root file systems without another one. It
//! answers for names that begin with `long.` over TCP only.

use lab::nameserver;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// The first argument that makes this program such a server.
pub const FLAG: &str = "--serve-names";

pub fn main() {
    let datagrams =
        UdpSocket::bind("127.0.0.1:53").expect("port 53 of a private network namespace");
    let streams =
        TcpListener::bind("127.0.0.1:53").expect("port 53 of a private network namespace");
    println!("serving");
    std::thread::spawn(move || {
        for stream in streams.incoming().flatten() {
            let mut stream = stream;
            let mut length = [0; 2];
            while stream.read_exact(&mut length).is_ok() {
                let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut question).expect("a whole question");
                let answer = answer(&question, true);
                let length = u16::try_from(answer.len()).expect("a short answer");
                let message = [&length.to_be_bytes(), &*answer].concat();
                stream.write_all(&message).expect("a client");
            }
        }
    });
    let mut question = [0; 512];
    while let Ok((length, from)) = datagrams.recv_from(&mut question) {
        let answer = answer(&question[..length], false);
        datagrams.send_to(&answer, from).expect("a client");
    }
}

fn answer(question: &[u8], by_tcp: bool) -> Vec<u8> {
    let is_long = question[12..].starts_with(b"\x04long");
    nameserver::answer(question, Ipv4Addr::new(127, 0, 0, 9), is_long && !by_tcp)
}
