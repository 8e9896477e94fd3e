//! The memory of a process, and traces of a secret in it.
#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

/// The number of consecutive bytes of a secret that count as a trace.
const TRACE: usize = 8;

/// The unit of the search; pages of zeros are skipped.
const PAGE: usize = 4096;

/// The memory that a process could have written to: all of it except its read-only files.
pub struct Image {
    /// Address, name and content.
    regions: Vec<(u64, String, Vec<u8>)>,
}

impl Image {
    /// Reads the memory of a process, which should be waiting.
    ///
    /// # Errors
    /// This process has no permission to read it.
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
            // Some kernel pages (vvar) cannot be read.
            if memory.read_exact_at(&mut bytes, from).is_ok() {
                let name = words.get(5).unwrap_or(&"anonymous");
                regions.push((from, (*name).to_owned(), bytes));
            }
        }
        assert!(!regions.is_empty(), "no readable memory of {pid}");
        Ok(Self { regions })
    }

    /// Returns a description of each place with at least [`TRACE`] consecutive bytes of a secret.
    pub fn traces(&self, secret: &[u8]) -> Vec<String> {
        assert!(
            secret.len() >= TRACE,
            "too short: matches by chance are possible"
        );
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
                        // The next byte of the same trace is not another place.
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
    fn traces_are_found_once_and_partial_ones_too() {
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
    fn a_secret_of_this_process_is_found() {
        let secret: Vec<u8> = (1..=40).map(|n: u8| n.wrapping_mul(113) ^ 0x5a).collect();
        let image = Image::of(std::process::id()).expect("our own memory");
        assert!(!image.traces(&secret).is_empty());
    }
}
