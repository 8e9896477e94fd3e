//! A fake directory with one entry. It returns values that slapd would not store, and records every
//! request. Without TLS, on loopback.
#![forbid(unsafe_code)]

use crate::ports;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// What it returns.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The delay of each response.
    pub takes: Duration,
    /// The DN of the entry; if empty there is no entry.
    pub dn: Vec<u8>,
    /// Its attributes with their values.
    pub attributes: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    /// Result code and diagnostic message of a bind as this entry.
    pub bind: (u8, Vec<u8>),
    /// Result code of a search, after the entry.
    pub search: (u8, Vec<u8>),
}

/// A running fake directory. Its threads end with the process.
#[derive(Debug)]
pub struct FakeLdap {
    port: u16,
    script: Arc<Mutex<Script>>,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;

impl FakeLdap {
    pub fn start() -> Self {
        let socket = ports::low();
        let ldap = Self {
            port: socket.local_addr().expect("the port's address").port(),
            script: Arc::default(),
            asked: Arc::default(),
        };
        let (script, asked) = (Arc::clone(&ldap.script), Arc::clone(&ldap.asked));
        thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                let (script, asked) = (Arc::clone(&script), Arc::clone(&asked));
                // An error ends the connection, which the client notices.
                thread::spawn(move || serve(stream, &script, &asked));
            }
        });
        ldap
    }

    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// Sets what it returns from now on.
    pub fn set_script(&self, script: Script) {
        *lock(&self.script) = script;
    }

    /// Returns the requests since the last call, each as the bytes of its operation.
    pub fn take_requests(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut lock(&self.asked))
    }
}

/// Whether a request is a search with exactly this filter.
pub fn searches_for(request: &[u8], filter: &[u8]) -> bool {
    // RFC 4511 §4.5.1: base, scope, aliases, two limits, typesOnly; then the filter; then a sequence.
    let whole = [&[0x01, 0x01, 0x00], filter, &[0x30]].concat();
    request.first() == Some(&SEARCH) && request.windows(whole.len()).any(|part| part == whole)
}

/// Whether a request is a bind.
pub fn binds(request: &[u8]) -> bool {
    request.first() == Some(&BIND)
}

/// Encodes the filter `(attribute=value)`.
pub fn equals(attribute: &str, value: &[u8]) -> Vec<u8> {
    ber(
        0xa3,
        &[ber(4, &[attribute.into()]), ber(4, &[value.into()])],
    )
}

/// Encodes the filter `(&…)`.
pub fn both(filters: &[Vec<u8>]) -> Vec<u8> {
    ber(0xa0, filters)
}

/// Encodes an OCTET STRING.
pub fn text(text: &[u8]) -> Vec<u8> {
    ber(4, &[text.into()])
}

/// Encodes an element: tag, length and content.
fn ber(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let length = &length[content.len().leading_zeros() as usize / 8..];
    match content.len() {
        0 => out.push(0),
        1..128 => out.extend(length),
        _ => {
            out.push(0x80 | u8::try_from(length.len()).expect("a short length"));
            out.extend(length);
        }
    }
    [out, content].concat()
}

fn serve(
    mut stream: TcpStream,
    script: &Mutex<Script>,
    asked: &Mutex<Vec<Vec<u8>>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    loop {
        let message = element(&mut stream)?.1;
        let mut rest = &message[..];
        let id = ber(2, &[element(&mut rest)?.1]);
        let request = rest.to_vec();
        let (operation, content) = element(&mut rest)?;
        lock(asked).push(request);
        let script = lock(script).clone();
        let result = |tag, (code, text): &(u8, Vec<u8>)| {
            let parts = [ber(10, &[vec![*code]]), ber(4, &[]), self::text(text)];
            ber(0x30, &[id.clone(), ber(tag, &parts)])
        };
        thread::sleep(script.takes);
        let answer = match operation {
            BIND => {
                // The name follows the version. All other binds are those of the service account.
                let named = content.get(3..).unwrap_or_default();
                let is_entry = !script.dn.is_empty() && named.starts_with(&self::text(&script.dn));
                let well = (0, Vec::new());
                result(0x61, if is_entry { &script.bind } else { &well })
            }
            SEARCH if script.dn.is_empty() => result(0x65, &script.search),
            SEARCH => {
                let attributes: Vec<Vec<u8>> = script.attributes.iter().map(attribute).collect();
                let entry = [self::text(&script.dn), ber(0x30, &attributes)];
                let entry = ber(0x30, &[id.clone(), ber(0x64, &entry)]);
                [entry, result(0x65, &script.search)].concat()
            }
            _ => return Ok(()),
        };
        stream.write_all(&answer)?;
    }
}

fn attribute((name, values): &(Vec<u8>, Vec<Vec<u8>>)) -> Vec<u8> {
    let values: Vec<Vec<u8>> = values
        .iter()
        .map(|value| ber(4, std::slice::from_ref(value)))
        .collect();
    ber(
        0x30,
        &[ber(4, std::slice::from_ref(name)), ber(0x31, &values)],
    )
}

/// Reads the next element: tag and content.
fn element(from: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    from.read_exact(&mut head)?;
    let length = match head[1] {
        short @ 0..128 => usize::from(short),
        long => {
            let mut bytes = vec![0; usize::from(long & 127)];
            from.read_exact(&mut bytes)?;
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        }
    };
    let mut content = vec![0; length.min(1 << 20)];
    from.read_exact(&mut content)?;
    Ok((head[0], content))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("the state of the fake directory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_encoded_as_in_the_protocol() {
        let filter = both(&[equals("uid", b"a")]);
        assert_eq!(filter, b"\xa0\x0a\xa3\x08\x04\x03uid\x04\x01a");
        let request = [b"\x63\x20\x01\x01\x00", &filter[..], b"\x30\x00"].concat();
        assert!(searches_for(&request, &filter));
        assert!(!searches_for(&request, &equals("uid", b"a")));
        let long = ber(4, &[vec![7; 300]]);
        assert_eq!(long[..4], [4, 0x82, 1, 44]);
        assert_eq!(element(&mut &long[..]).expect("an element").1.len(), 300);
    }
}
