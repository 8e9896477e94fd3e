//! A process's memory, as a core image would have it, and what of a secret is in there.
#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

/// As many bytes of a secret in a row are a trace of it.
const TRACE: usize = 8;

/// What is read at a time, and left out when it is empty.
const PAGE: usize = 4096;

/// Everything in a process that it could have written: all but its read-only files.
pub struct Image {
    /// Where it is, what it is, and what is in it.
    regions: Vec<(u64, String, Vec<u8>)>,
}

impl Image {
    /// Of another process, which should be waiting. The error is the system's, when it may not be
    /// looked at.
    pub fn of(pid: u32) -> io::Result<Self> {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let mut regions = Vec::new();
        for line in maps.lines() {
            // proc_pid_maps(5): range, rights, offset, device, inode, name.
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let (from, to) = words[0].split_once('-').expect("a range");
            let number = |text| u64::from_str_radix(text, 16).expect("an address");
            let (from, to) = (number(from), number(to));
            if !words[1].contains('w') && words[4] != "0" {
                continue;
            }
            let mut bytes = vec![0; usize::try_from(to - from).expect("a length")];
            // The kernel's own pages (vvar) cannot be read.
            if memory.read_exact_at(&mut bytes, from).is_ok() {
                let name = words.get(5).unwrap_or(&"anonymous");
                regions.push((from, (*name).to_owned(), bytes));
            }
        }
        assert!(!regions.is_empty(), "nothing to be seen of {pid}");
        Ok(Self { regions })
    }

    /// Every place where at least [`TRACE`] bytes of a secret stand in a row, in words.
    pub fn traces(&self, secret: &[u8]) -> Vec<String> {
        assert!(secret.len() >= TRACE, "too short to be told from chance");
        let pieces: HashSet<&[u8]> = secret.windows(TRACE).collect();
        let mut first = [false; 256];
        for piece in &pieces {
            first[usize::from(piece[0])] = true;
        }
        let empty = [0; PAGE];
        let mut found = Vec::new();
        for (start, name, bytes) in &self.regions {
            let mut last = None;
            for (page, content) in bytes.chunks(PAGE).enumerate() {
                if content == &empty[..content.len()] {
                    continue;
                }
                let from = page * PAGE;
                for (at, byte) in content.iter().enumerate() {
                    let at = from + at;
                    let is_piece = || {
                        bytes
                            .get(at..at + TRACE)
                            .is_some_and(|row| pieces.contains(row))
                    };
                    if first[usize::from(*byte)] && is_piece() {
                        // The next byte of the same row is no other place.
                        if last.is_none_or(|last| at > last + 1) {
                            found.push(format!("{name} at {:x}", *start + at as u64));
                        }
                        last = Some(at);
                    }
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_once_and_halves_too() {
        let mut bytes = vec![0; 3 * PAGE];
        bytes[PAGE - 4..PAGE + 12].copy_from_slice(b"0123456789abcdef");
        bytes[2 * PAGE..2 * PAGE + 8].copy_from_slice(b"456789ab");
        bytes[2 * PAGE + 100..2 * PAGE + 107].copy_from_slice(b"0123456");
        let image = Image {
            regions: vec![(0x1000, "here".to_owned(), bytes)],
        };
        let places = ["here at 1ffc", "here at 3000"];
        assert_eq!(image.traces(b"0123456789abcdef"), places);
    }

    #[test]
    fn this_process_holds_what_it_holds() {
        let secret: Vec<u8> = (1..=40).map(|n: u8| n.wrapping_mul(113) ^ 0x5a).collect();
        let image = Image::of(std::process::id()).expect("our own memory");
        assert!(!image.traces(&secret).is_empty());
    }
}
