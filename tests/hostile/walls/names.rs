//! A name server that says of every name that it is 127.0.0.9, for roots that have no other. Of names
//! that begin with `long.` it says so by TCP only.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};

/// The first argument that makes this program such a server.
pub const FLAG: &str = "--serve-names";

pub fn main() {
    let datagrams = UdpSocket::bind("127.0.0.1:53").expect("port 53 of a network of our own");
    let streams = TcpListener::bind("127.0.0.1:53").expect("port 53 of a network of our own");
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
                stream.write_all(&message).expect("somebody who listens");
            }
        }
    });
    let mut question = [0; 512];
    while let Ok((length, from)) = datagrams.recv_from(&mut question) {
        let answer = answer(&question[..length], false);
        datagrams
            .send_to(&answer, from)
            .expect("somebody who listens");
    }
}

/// RFC 1035 section 4.1: the question again, and one A record if it asked for one.
fn answer(question: &[u8], whole: bool) -> Vec<u8> {
    const HEAD: usize = 12;
    let name = question[HEAD..]
        .iter()
        .position(|byte| *byte == 0)
        .expect("a name's end");
    let end = HEAD + name + 5;
    let is_long = question[HEAD..].starts_with(b"\x04long");
    let wants_address = question[HEAD + name + 1..HEAD + name + 3] == [0, 1];
    let cut = is_long && !whole;
    let answers = u8::from(wants_address && !cut);
    let mut answer = question[..2].to_vec();
    // An answer, recursion available; cut off (TC) where it is to be asked for again.
    answer.extend([
        if cut { 0x83 } else { 0x81 },
        0x80,
        0,
        1,
        0,
        answers,
        0,
        0,
        0,
        0,
    ]);
    answer.extend(&question[HEAD..end]);
    if answers == 1 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 9]);
    }
    answer
}
