//! The part of RESP2 that the ledger uses
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! The `redis` crate (1.2) is not used: it does not limit the size of a reply, does not check its lengths,
//! and most of it is about opening connections. This file needs five types of values.
#![forbid(unsafe_code)]

use zeroize::Zeroizing;

/// The maximum length of a reply.
const MAX_LENGTH: usize = 256 * 1024;

/// The maximum length of a line: a status, an error, a number, a length.
const MAX_LINE: usize = 4 * 1024;

/// The maximum number of values in one reply, including those in lists, and the maximum depth of lists. The
/// reply to ROLE of a master with many replicas has the max values and the greatest depth (3).
const MAX_VALUES: usize = 4096;
const MAX_DEPTH: usize = 4;

/// A reply of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Text(Vec<u8>),
    Error(String),
    Number(i64),
    List(Vec<Reply>),
    Nil,
}

impl Reply {
    pub(super) const fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

/// The bytes are not RESP, or exceed a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProtocolError;

/// Encodes a command. It may contain a password: the buffer has its final size from the start, so that no
/// copy is left behind, and is wiped on drop.
pub(super) fn encode_command(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let heads: Vec<String> = parts
        .iter()
        .map(|part| format!("${}\r\n", part.len()))
        .collect();
    let header = format!("*{}\r\n", parts.len());
    let length = parts
        .iter()
        .zip(&heads)
        .map(|(part, head)| part.len().saturating_add(head.len()).saturating_add(2))
        .fold(header.len(), usize::saturating_add);
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    bytes.extend_from_slice(header.as_bytes());
    for (part, head) in parts.iter().zip(&heads) {
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Decodes the first reply in `bytes`; returns it with the bytes after it. `None`: the reply is incomplete.
pub(super) fn decode(bytes: &[u8]) -> Result<Option<(Reply, &[u8])>, ProtocolError> {
    let mut decoder = Decoder {
        rest: bytes,
        remaining: MAX_VALUES,
    };
    match decoder.value(0) {
        Ok(reply) => Ok(Some((reply, decoder.rest))),
        Err(Stop::Invalid) => Err(ProtocolError),
        Err(Stop::Incomplete) if bytes.len() > MAX_LENGTH => Err(ProtocolError),
        Err(Stop::Incomplete) => Ok(None),
    }
}

enum Stop {
    Incomplete,
    Invalid,
}

struct Decoder<'a> {
    rest: &'a [u8],
    /// The number of values that may follow.
    remaining: usize,
}

impl<'a> Decoder<'a> {
    fn value(&mut self, depth: usize) -> Result<Reply, Stop> {
        self.remaining = self.remaining.checked_sub(1).ok_or(Stop::Invalid)?;
        let (kind, line) = self.line()?.split_first().ok_or(Stop::Invalid)?;
        Ok(match kind {
            b'+' => Reply::Text(line.to_vec()),
            b'-' => Reply::Error(String::from_utf8_lossy(line).into_owned()),
            b':' => Reply::Number(number(line)?),
            b'$' => match length(line, MAX_LENGTH)? {
                Some(length) => Reply::Text(self.bulk(length)?.to_vec()),
                None => Reply::Nil,
            },
            b'*' if depth < MAX_DEPTH => match length(line, MAX_VALUES)? {
                // No memory is allocated for values that have only been announced.
                Some(length) => Reply::List(
                    (0..length)
                        .map(|_| self.value(depth.saturating_add(1)))
                        .collect::<Result<_, _>>()?,
                ),
                None => Reply::Nil,
            },
            _ => return Err(Stop::Invalid),
        })
    }

    /// Takes the next line, without its end.
    fn line(&mut self) -> Result<&'a [u8], Stop> {
        if !self.rest.first().is_none_or(|kind| b"+-:$*".contains(kind)) {
            return Err(Stop::Invalid);
        }
        let window = self.rest.get(..MAX_LINE).unwrap_or(self.rest);
        match window.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let (line, rest) = self.rest.split_at(end);
                self.rest = rest.get(1..).unwrap_or_default();
                line.strip_suffix(b"\r").ok_or(Stop::Invalid)
            }
            None if window.len() == MAX_LINE => Err(Stop::Invalid),
            None => Err(Stop::Incomplete),
        }
    }

    fn bulk(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let (bulk, rest) = self.rest.split_at_checked(length).ok_or(Stop::Incomplete)?;
        match rest {
            [b'\r', b'\n', rest @ ..] => {
                self.rest = rest;
                Ok(bulk)
            }
            [] | [b'\r'] => Err(Stop::Incomplete),
            _ => Err(Stop::Invalid),
        }
    }
}

fn number(line: &[u8]) -> Result<i64, Stop> {
    let text = std::str::from_utf8(line).map_err(|_| Stop::Invalid)?;
    text.parse().map_err(|_| Stop::Invalid)
}

/// Parses a length up to `max`. `None`: the length -1, which means a null value.
fn length(line: &[u8], max: usize) -> Result<Option<usize>, Stop> {
    match number(line)? {
        -1 => Ok(None),
        length => usize::try_from(length)
            .ok()
            .filter(|length| *length <= max)
            .map(Some)
            .ok_or(Stop::Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Reply {
        let (reply, rest) = decode(bytes).unwrap().unwrap();
        assert_eq!(rest, b"", "{bytes:?}");
        reply
    }

    #[test]
    fn five_shapes() {
        let text = |text: &str| Reply::Text(text.into());
        for (bytes, expected) in [
            ("+OK\r\n", text("OK")),
            ("-ERR no\r\n", Reply::Error("ERR no".into())),
            (":-42\r\n", Reply::Number(-42)),
            ("$4\r\na\r\nb\r\n", text("a\r\nb")),
            ("$0\r\n\r\n", text("")),
            ("$-1\r\n", Reply::Nil),
            ("*-1\r\n", Reply::Nil),
            ("*0\r\n", Reply::List(vec![])),
            (
                "*2\r\n*1\r\n:1\r\n+x\r\n",
                Reply::List(vec![Reply::List(vec![Reply::Number(1)]), text("x")]),
            ),
        ] {
            assert_eq!(whole(bytes.as_bytes()), expected, "{bytes:?}");
            for end in 0..bytes.len() {
                let cut = &bytes.as_bytes()[..end];
                assert_eq!(decode(cut), Ok(None), "{cut:?}");
            }
        }
        let two = decode(b"+a\r\n+b\r\n").unwrap().unwrap();
        assert_eq!(two, (text("a"), &b"+b\r\n"[..]));
    }

    #[test]
    fn invalid_replies() {
        for bytes in [
            "\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
            "\x15\x03\x01\x00\x02",
            "+OK\n",
            ":\r\n",
            ":1x\r\n",
            ":99999999999999999999\r\n",
            "$-2\r\n",
            "$x\r\n",
            "$1\r\nabc",
            "$262145\r\n",
            "$9223372036854775807\r\n",
            "*4097\r\n",
            "*9223372036854775807\r\n",
            "%1\r\n+a\r\n+b\r\n",
            ">1\r\n+a\r\n",
            "_\r\n",
        ] {
            assert_eq!(decode(bytes.as_bytes()), Err(ProtocolError), "{bytes:?}");
        }
    }

    #[test]
    fn limits() {
        let deep = "*1\r\n".repeat(MAX_DEPTH + 1);
        assert_eq!(decode(deep.as_bytes()), Err(ProtocolError));
        assert_eq!(decode("*1\r\n".repeat(MAX_DEPTH).as_bytes()), Ok(None));
        assert_eq!(
            decode("*1\r\n".repeat(100_000).as_bytes()),
            Err(ProtocolError)
        );

        let many = format!("*{MAX_VALUES}\r\n{}", "+\r\n".repeat(MAX_VALUES));
        assert_eq!(decode(many.as_bytes()), Err(ProtocolError));
        // Values in nested lists are counted as well.
        let wide = format!(
            "*64\r\n{}",
            format!("*64\r\n{}", "+\r\n".repeat(64)).repeat(64)
        );
        assert_eq!(decode(wide.as_bytes()), Err(ProtocolError));

        let line = format!("+{}", "x".repeat(MAX_LINE));
        assert_eq!(decode(line.as_bytes()), Err(ProtocolError));
        let bulk = format!("${MAX_LENGTH}\r\n{}\r\n", "x".repeat(MAX_LENGTH));
        assert_eq!(whole(bulk.as_bytes()), Reply::Text(vec![b'x'; MAX_LENGTH]));
        let bulks = format!("*4\r\n{bulk}{bulk}$9\r\n");
        assert_eq!(decode(bulks.as_bytes()), Err(ProtocolError));
    }

    #[test]
    fn commands() {
        let bytes = encode_command(&[b"AUTH", "päss\r\n".as_bytes()]);
        let expected = "*2\r\n$4\r\nAUTH\r\n$7\r\npäss\r\n\r\n";
        assert_eq!(bytes.as_slice(), expected.as_bytes());
        assert_eq!(bytes.capacity(), bytes.len());
    }

    /// Random bytes cause no panic, and every prefix of a reply is incomplete.
    #[test]
    fn any_bytes() {
        let mut seed = 0x5eed_u64;
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed >> 33).unwrap()
        };
        let alphabet = b"+-:$*0123\r\n\r\nx\xff";
        for _ in 0..20_000 {
            let length = random() % 24;
            let bytes: Vec<u8> = (0..length)
                .map(|_| alphabet[random() % alphabet.len()])
                .collect();
            if let Ok(Some((_, rest))) = decode(&bytes) {
                let used = bytes.len() - rest.len();
                for end in 0..used {
                    assert_eq!(decode(&bytes[..end]), Ok(None), "{bytes:?} up to {end}");
                }
            }
        }
    }
}
