//! A parser for BER as LDAP uses it (RFC 4511 §5.1: definite lengths, short tags), without recursion,
//! copies or panics.
#![forbid(unsafe_code)]

pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const OCTETS: u8 = 0x04;
pub const ENUMERATED: u8 = 0x0a;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// Maximum number of octets of a length. Some servers always use this many.
const MAX_LENGTH_OCTETS: usize = 4;

/// The bytes are not BER as LDAP uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// One tag, its length and its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    pub tag: u8,
    pub body: &'a [u8],
}

/// Returns the length of the element that begins here, its tag and length included, or `None` if its
/// header is incomplete.
pub fn length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    Ok(header(bytes)?.and_then(|header| header.length.checked_add(header.body)))
}

struct Header {
    tag: u8,
    length: usize,
    body: usize,
}

fn header(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some((&tag, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    if tag & 0x1f == 0x1f {
        return Err(Malformed); // a long tag, which LDAP does not use
    }
    let Some((&first, rest)) = rest.split_first() else {
        return Ok(None);
    };
    if first < 0x80 {
        return Ok(Some(Header {
            tag,
            length: 2,
            body: usize::from(first),
        }));
    }
    let octets = usize::from(first & 0x7f);
    if octets == 0 || octets > MAX_LENGTH_OCTETS {
        return Err(Malformed); // indefinite, or too large
    }
    let Some(written) = rest.get(..octets) else {
        return Ok(None);
    };
    let body = written
        .iter()
        .fold(0_u32, |sum, &octet| (sum << 8) | u32::from(octet));
    Ok(Some(Header {
        tag,
        length: octets.saturating_add(2),
        body: usize::try_from(body).map_err(|_| Malformed)?,
    }))
}

/// A sequence of elements.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// Creates a reader of the elements in these bytes.
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all elements have been read.
    pub const fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the next element has this tag.
    pub fn is_next(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// Reads the next element.
    pub fn any(&mut self) -> Result<Element<'a>, Malformed> {
        let header = header(self.0)?.ok_or(Malformed)?;
        let (_, rest) = self.0.split_at_checked(header.length).ok_or(Malformed)?;
        let (body, rest) = rest.split_at_checked(header.body).ok_or(Malformed)?;
        self.0 = rest;
        Ok(Element {
            tag: header.tag,
            body,
        })
    }

    /// Reads the contents of the next element, which must have this tag.
    pub fn take(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        let element = self.any()?;
        if element.tag == tag {
            Ok(element.body)
        } else {
            Err(Malformed)
        }
    }

    /// Reads the next element, which must have this tag and be UTF-8.
    pub fn text(&mut self, tag: u8) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.take(tag)?).map_err(|_| Malformed)
    }

    /// Reads the next element, a number from 0 to `maxInt` (RFC 4511 §4.1.1).
    pub fn number(&mut self, tag: u8) -> Result<u32, Malformed> {
        let octets = self.take(tag)?;
        let sum = match octets {
            [first, ..] if *first < 0x80 && octets.len() <= 8 => octets
                .iter()
                .fold(0_u64, |sum, &octet| (sum << 8) | u64::from(octet)),
            _ => return Err(Malformed),
        };
        u32::try_from(sum)
            .ok()
            .filter(|&number| i32::try_from(number).is_ok())
            .ok_or(Malformed)
    }

    /// Fails if there are more elements.
    pub const fn done(&self) -> Result<(), Malformed> {
        if self.is_done() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_in_every_form() {
        assert_eq!(length(&[]), Ok(None));
        assert_eq!(length(&[0x30]), Ok(None));
        assert_eq!(length(&[0x30, 0x05]), Ok(Some(7)));
        assert_eq!(length(&[0x30, 0x82, 0x01]), Ok(None));
        assert_eq!(length(&[0x30, 0x82, 0x01, 0x00]), Ok(Some(260)));
        assert_eq!(length(&[0x30, 0x84, 0, 0, 0, 0x10]), Ok(Some(22)));
        assert_eq!(
            length(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).map(|n| n > Some(1 << 31)),
            Ok(true)
        );
        assert_eq!(length(&[0x30, 0x80]), Err(Malformed), "indefinite");
        assert_eq!(length(&[0x30, 0x85, 0, 0, 0, 0, 1]), Err(Malformed));
        assert_eq!(length(&[0x1f, 0x01, 0x00]), Err(Malformed), "long tag");
    }

    #[test]
    fn elements_are_read_in_order() {
        let mut elements = Elements::of(&[0x02, 1, 5, 0x04, 2, b'h', b'i']);
        assert!(elements.is_next(INTEGER));
        assert_eq!(elements.number(INTEGER), Ok(5));
        assert_eq!(elements.done(), Err(Malformed));
        assert_eq!(elements.text(OCTETS), Ok("hi"));
        assert_eq!(elements.done(), Ok(()));
        assert_eq!(elements.any(), Err(Malformed));
        assert_eq!(
            Elements::of(&[0x04, 3, b'h', b'i']).any(),
            Err(Malformed),
            "cut"
        );
        assert_eq!(Elements::of(&[0x04, 1, 0xff]).text(OCTETS), Err(Malformed));
    }

    #[test]
    fn numbers_within_bounds() {
        let number = |octets: &[u8]| {
            let mut bytes = vec![INTEGER, u8::try_from(octets.len()).unwrap()];
            bytes.extend(octets);
            Elements::of(&bytes).number(INTEGER)
        };
        assert_eq!(number(&[0]), Ok(0));
        assert_eq!(
            number(&[0x7f, 0xff, 0xff, 0xff]),
            Ok(i32::MAX.unsigned_abs())
        );
        assert_eq!(number(&[0, 0, 0, 0, 1]), Ok(1), "padded");
        assert_eq!(number(&[0, 0x80, 0, 0, 0]), Err(Malformed), "beyond maxInt");
        assert_eq!(
            number(&[1, 0, 0, 0, 0]),
            Err(Malformed),
            "would be 0 in 32 bits"
        );
        for negative in [0x80, 0xff] {
            assert_eq!(number(&[negative]), Err(Malformed));
        }
        assert_eq!(number(&[]), Err(Malformed));
        assert_eq!(number(&[0; 9]), Err(Malformed));
    }

    #[test]
    fn no_bytes_cause_a_panic() {
        // Every prefix of valid bytes with one byte changed to each value.
        let valid = [
            0x30, 0x82, 0, 9, 0x02, 1, 5, 0x04, 4, b'a', b'b', b'c', b'd',
        ];
        for place in 0..valid.len() {
            for value in 0..=u8::MAX {
                let mut bytes = valid;
                bytes[place] = value;
                for end in 0..=bytes.len() {
                    let mut elements = Elements::of(&bytes[..end]);
                    while elements.any().is_ok() {}
                    let _ = length(&bytes[..end]);
                }
            }
        }
    }
}
