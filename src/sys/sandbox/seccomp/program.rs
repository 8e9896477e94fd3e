//! Classic BPF programs for seccomp(2).
#![forbid(unsafe_code)]

use libc::{c_long, sock_filter};

// Offsets in `struct seccomp_data` (linux/seccomp.h).
pub(super) const NUMBER: u32 = 0;
pub(super) const MACHINE: u32 = 4;
const ARGUMENTS: u32 = 16;

// Instruction codes (linux/filter.h).
pub(super) const LOAD: u16 = 0x20;
pub(super) const IF_EQUAL: u16 = 0x15;
pub(super) const IF_AT_LEAST: u16 = 0x35;
pub(super) const IF_ANY: u16 = 0x45;
pub(super) const AND: u16 = 0x54;
const RETURN: u16 = 0x06;

pub(super) const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
pub(super) const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

pub(super) const fn refuse(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.unsigned_abs()
}

/// A program that returns a verdict (`SECCOMP_RET_…`) for each system call.
#[derive(Default)]
pub(super) struct Program(pub(super) Vec<sock_filter>);

impl Program {
    pub(super) fn step(&mut self, code: u16, k: u32) {
        self.jump(code, k, 0, 0);
    }

    pub(super) fn jump(&mut self, code: u16, k: u32, if_true: u8, if_false: u8) {
        self.0.push(sock_filter {
            code,
            jt: if_true,
            jf: if_false,
            k,
        });
    }

    pub(super) fn end(&mut self, verdict: u32) {
        self.step(RETURN, verdict);
    }

    /// Returns a verdict for a system call, independent of its arguments.
    pub(super) fn call(&mut self, number: c_long, verdict: u32) {
        self.jump(IF_EQUAL, low(number), 0, 1);
        self.end(verdict);
    }

    /// Checks the arguments of a system call. The steps that `check` adds end with a verdict.
    pub(super) fn checked(&mut self, number: c_long, check: impl FnOnce(&mut Self)) {
        let mut steps = Self::default();
        check(&mut steps);
        let length = u8::try_from(steps.0.len()).unwrap_or(u8::MAX);
        self.jump(IF_EQUAL, low(number), 0, length);
        self.0.append(&mut steps.0);
    }

    /// Allows the call if the loaded value is one of these, otherwise continues.
    pub(super) fn allow(&mut self, values: impl IntoIterator<Item = u32>) {
        for value in values {
            self.jump(IF_EQUAL, value, 0, 1);
            self.end(ALLOW);
        }
    }

    /// Refuses the call with EPERM if the loaded value is one of these, otherwise continues.
    pub(super) fn refuse_any(&mut self, values: &[u32]) {
        for value in values {
            self.jump(IF_EQUAL, *value, 0, 1);
            self.end(refuse(libc::EPERM));
        }
    }

    /// Continues if the loaded value is this one, otherwise returns a verdict.
    pub(super) fn only(&mut self, value: u32, otherwise: u32) {
        self.jump(IF_EQUAL, value, 1, 0);
        self.end(otherwise);
    }

    /// Loads the lower half of an argument, the part of an `int` that the kernel uses.
    pub(super) fn argument(&mut self, index: u32) {
        self.half(index, cfg!(target_endian = "big"));
    }

    /// Loads the upper half of an argument.
    pub(super) fn upper_half(&mut self, index: u32) {
        self.half(index, cfg!(target_endian = "little"));
    }

    fn half(&mut self, index: u32, second: bool) {
        let offset = index
            .saturating_mul(8)
            .saturating_add(if second { 4 } else { 0 });
        self.step(LOAD, ARGUMENTS.saturating_add(offset));
    }
}

/// A system call number, which is small and positive, as the kernel compares it.
pub(super) fn low(number: c_long) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
