//! Formats one log field, `key=value`, for both sides.
//!
//! User names, host names and server texts are untrusted. A value with anything but plain characters is
//! quoted, and within quotes everything but printable ASCII is escaped: a value cannot forge a second
//! field or line, nor send control characters to the terminal of an administrator who reads the log.

/// The maximum length of one formatted value, in bytes; a longer one ends in `...`.
pub const MAX_VALUE: usize = 400;

/// Appends ` key=value`.
pub fn field(line: &mut String, key: &str, value: &[u8]) {
    line.push(' ');
    line.push_str(key);
    line.push('=');
    if !value.is_empty() && value.len() <= MAX_VALUE && value.iter().all(|byte| plain(*byte)) {
        line.extend(value.iter().map(|byte| char::from(*byte)));
        return;
    }
    line.push('"');
    let mut written = 0_usize;
    for byte in value {
        if written >= MAX_VALUE {
            line.push_str("...");
            break;
        }
        written = written.saturating_add(escaped(line, *byte));
    }
    line.push('"');
}

const fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'.' | b'_' | b':' | b'@' | b'/' | b'+' | b'*' | b'-' | b'?' | b',' | b'%'
        )
}

/// Appends one byte, escaped, and returns the length of the result.
fn escaped(line: &mut String, byte: u8) -> usize {
    match byte {
        b'"' | b'\\' => {
            line.push('\\');
            line.push(char::from(byte));
            2
        }
        b' '..=b'~' => {
            line.push(char::from(byte));
            1
        }
        _ => {
            line.push_str("\\x");
            for nibble in [byte >> 4, byte & 15] {
                line.push(char::from_digit(u32::from(nibble), 16).unwrap_or('?'));
            }
            4
        }
    }
}
