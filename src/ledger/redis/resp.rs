//! RESP2, as far as the ledger speaks it
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! Not the `redis` crate (1.2): it sets no bound to what a server may say, takes its lengths unchecked, and
//! most of it is about connections that it would open by itself. These are five shapes.
#![forbid(unsafe_code)]

use zeroize::Zeroizing;

/// Longest reply that is listened to.
const LONGEST: usize = 256 * 1024;

/// Longest line: a status, an error, a number, a length.
const LONGEST_LINE: usize = 4 * 1024;

/// Most values in one reply, those in lists included, and how deep lists lie in lists. ROLE of a
/// master with many replicas has the most, and is the deepest (3).
const MOST: usize = 4096;
const DEEPEST: usize = 4;

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Text(Vec<u8>),
    Error(String),
    Number(i64),
    List(Vec<Reply>),
    Nil,
}

impl Reply {
    pub const fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

/// It is not RESP, or too much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breach;

/// A command. It may hold a password: the buffer is wiped, and has not grown on the way.
pub fn command(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let heads: Vec<String> = parts
        .iter()
        .map(|part| format!("${}\r\n", part.len()))
        .collect();
    let whole = format!("*{}\r\n", parts.len());
    let length = parts
        .iter()
        .zip(&heads)
        .map(|(part, head)| part.len().saturating_add(head.len()).saturating_add(2))
        .fold(whole.len(), usize::saturating_add);
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    bytes.extend_from_slice(whole.as_bytes());
    for (part, head) in parts.iter().zip(&heads) {
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The first reply in `bytes`, and what follows it. `None`: it is not all there yet.
pub fn reply(bytes: &[u8]) -> Result<Option<(Reply, &[u8])>, Breach> {
    let mut reader = Reader {
        rest: bytes,
        left: MOST,
    };
    match reader.value(0) {
        Ok(reply) => Ok(Some((reply, reader.rest))),
        Err(Stop::Breach) => Err(Breach),
        Err(Stop::More) if bytes.len() > LONGEST => Err(Breach),
        Err(Stop::More) => Ok(None),
    }
}

enum Stop {
    More,
    Breach,
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Values that may still come.
    left: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Reply, Stop> {
        self.left = self.left.checked_sub(1).ok_or(Stop::Breach)?;
        let (kind, line) = self.line()?.split_first().ok_or(Stop::Breach)?;
        Ok(match kind {
            b'+' => Reply::Text(line.to_vec()),
            b'-' => Reply::Error(String::from_utf8_lossy(line).into_owned()),
            b':' => Reply::Number(number(line)?),
            b'$' => match length(line, LONGEST)? {
                Some(length) => Reply::Text(self.bulk(length)?.to_vec()),
                None => Reply::Nil,
            },
            b'*' if depth < DEEPEST => match length(line, MOST)? {
                // Nothing is set aside for what is only announced.
                Some(length) => Reply::List(
                    (0..length)
                        .map(|_| self.value(depth.saturating_add(1)))
                        .collect::<Result<_, _>>()?,
                ),
                None => Reply::Nil,
            },
            _ => return Err(Stop::Breach),
        })
    }

    /// Up to the next line's end, without it.
    fn line(&mut self) -> Result<&'a [u8], Stop> {
        if !self.rest.first().is_none_or(|kind| b"+-:$*".contains(kind)) {
            return Err(Stop::Breach);
        }
        let seen = self.rest.get(..LONGEST_LINE).unwrap_or(self.rest);
        match seen.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let (line, rest) = self.rest.split_at(end);
                self.rest = rest.get(1..).unwrap_or_default();
                line.strip_suffix(b"\r").ok_or(Stop::Breach)
            }
            None if seen.len() == LONGEST_LINE => Err(Stop::Breach),
            None => Err(Stop::More),
        }
    }

    fn bulk(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let (bulk, rest) = self.rest.split_at_checked(length).ok_or(Stop::More)?;
        match rest {
            [b'\r', b'\n', rest @ ..] => {
                self.rest = rest;
                Ok(bulk)
            }
            [] | [b'\r'] => Err(Stop::More),
            _ => Err(Stop::Breach),
        }
    }
}

fn number(line: &[u8]) -> Result<i64, Stop> {
    let text = std::str::from_utf8(line).map_err(|_| Stop::Breach)?;
    text.parse().map_err(|_| Stop::Breach)
}

/// A length of at most so much; -1 is none at all.
fn length(line: &[u8], most: usize) -> Result<Option<usize>, Stop> {
    match number(line)? {
        -1 => Ok(None),
        length => usize::try_from(length)
            .ok()
            .filter(|length| *length <= most)
            .map(Some)
            .ok_or(Stop::Breach),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Reply {
        let (reply, rest) = reply(bytes).unwrap().unwrap();
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
                assert_eq!(reply(cut), Ok(None), "{cut:?}");
            }
        }
        let two = reply(b"+a\r\n+b\r\n").unwrap().unwrap();
        assert_eq!(two, (text("a"), &b"+b\r\n"[..]));
    }

    #[test]
    fn what_is_no_reply() {
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
            assert_eq!(reply(bytes.as_bytes()), Err(Breach), "{bytes:?}");
        }
    }

    #[test]
    fn too_much() {
        let deep = "*1\r\n".repeat(DEEPEST + 1);
        assert_eq!(reply(deep.as_bytes()), Err(Breach));
        assert_eq!(reply("*1\r\n".repeat(DEEPEST).as_bytes()), Ok(None));
        assert_eq!(reply("*1\r\n".repeat(100_000).as_bytes()), Err(Breach));

        let many = format!("*{MOST}\r\n{}", "+\r\n".repeat(MOST));
        assert_eq!(reply(many.as_bytes()), Err(Breach));
        // Lists of lists multiply.
        let wide = format!(
            "*64\r\n{}",
            format!("*64\r\n{}", "+\r\n".repeat(64)).repeat(64)
        );
        assert_eq!(reply(wide.as_bytes()), Err(Breach));

        let line = format!("+{}", "x".repeat(LONGEST_LINE));
        assert_eq!(reply(line.as_bytes()), Err(Breach));
        let bulk = format!("${LONGEST}\r\n{}\r\n", "x".repeat(LONGEST));
        assert_eq!(whole(bulk.as_bytes()), Reply::Text(vec![b'x'; LONGEST]));
        let bulks = format!("*4\r\n{bulk}{bulk}$9\r\n");
        assert_eq!(reply(bulks.as_bytes()), Err(Breach));
    }

    #[test]
    fn commands() {
        let bytes = command(&[b"AUTH", "päss\r\n".as_bytes()]);
        let expected = "*2\r\n$4\r\nAUTH\r\n$7\r\npäss\r\n\r\n";
        assert_eq!(bytes.as_slice(), expected.as_bytes());
        assert_eq!(bytes.capacity(), bytes.len());
    }

    /// Any bytes at all, cut anywhere: no panic, and a prefix of a reply never is a breach.
    #[test]
    fn any_bytes() {
        let mut seed = 0x5eed_u64;
        let mut draw = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed >> 33).unwrap()
        };
        let alphabet = b"+-:$*0123\r\n\r\nx\xff";
        for _ in 0..20_000 {
            let length = draw() % 24;
            let bytes: Vec<u8> = (0..length)
                .map(|_| alphabet[draw() % alphabet.len()])
                .collect();
            if let Ok(Some((_, rest))) = reply(&bytes) {
                let used = bytes.len() - rest.len();
                for end in 0..used {
                    assert_eq!(reply(&bytes[..end]), Ok(None), "{bytes:?} up to {end}");
                }
            }
        }
    }
}
