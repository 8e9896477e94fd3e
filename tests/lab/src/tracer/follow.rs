//! Records the system calls of the host in its hook, and of its helper.
#![forbid(unsafe_code)]

use super::ptrace::{self, Moment, Stop};
use super::{Call, Fault, MARK, Place, calls};
use std::collections::BTreeMap;

/// A traced thread.
struct Task {
    number: u32,
    /// The number of calls of each system call.
    made: BTreeMap<i64, u32>,
    /// The index of its current call in the list.
    within: Option<usize>,
    /// Whether its current call has to fail.
    fails: bool,
}

/// A recorded call, and data to find out whether it uses the log's socket.
struct Record {
    call: Call,
    first_argument: u64,
    result: i64,
}

struct Tracing {
    host: i32,
    /// Whether the host is in the hook.
    in_hook: bool,
    tasks: BTreeMap<i32, Task>,
    /// The number of threads so far.
    started: u32,
    records: Vec<Record>,
    fault: Option<Fault>,
    hit: Option<Call>,
}

/// Traces a host until it exits. Prints `ready` when it is attached.
pub fn host(pid: i32, fault: Option<Fault>) -> Vec<Call> {
    let mut tracing = Tracing {
        host: pid,
        in_hook: false,
        tasks: BTreeMap::new(),
        started: 0,
        records: Vec::new(),
        fault,
        hit: None,
    };
    tracing.task(pid);
    ptrace::seize(pid);
    let mut is_ready = false;
    while let Some(stop) = ptrace::next() {
        match stop {
            Stop::Exited(task) => {
                tracing.tasks.remove(&task);
            }
            Stop::Forked(task, child) => {
                tracing.task(child);
                ptrace::resume(task, 0);
            }
            Stop::Call(task) => {
                tracing.at_call(task);
                ptrace::resume(task, 0);
            }
            Stop::Signal(task, signal) => ptrace::resume(task, signal),
            Stop::Group(task) => ptrace::listen(task),
            Stop::Other(task) => {
                tracing.task(task);
                ptrace::resume(task, 0);
                if !is_ready {
                    println!("ready");
                    is_ready = true;
                }
            }
        }
    }
    match tracing.fault {
        Some(_) => tracing.hit.into_iter().collect(),
        None => tracing
            .records
            .into_iter()
            .map(|record| record.call)
            .collect(),
    }
}

impl Tracing {
    /// Returns a thread, which may be new.
    fn task(&mut self, pid: i32) -> &mut Task {
        self.tasks.entry(pid).or_insert_with(|| {
            let number = self.started;
            self.started += 1;
            Task {
                number,
                made: BTreeMap::new(),
                within: None,
                fails: false,
            }
        })
    }

    fn at_call(&mut self, pid: i32) {
        match ptrace::moment(pid) {
            Moment::Before { number, arguments } => {
                if pid == self.host && number == libc::SYS_lseek {
                    let inside = ptrace::signed(arguments[1]) - MARK;
                    if ptrace::signed(arguments[0]) == -1 && (0..=1).contains(&inside) {
                        self.in_hook = inside == 1;
                        return;
                    }
                }
                if (pid != self.host || self.in_hook) && calls::can_fail(number, arguments) {
                    self.before(pid, number, arguments);
                }
            }
            Moment::After { result } => self.after(pid, result),
            Moment::Neither => {}
        }
    }

    fn before(&mut self, pid: i32, number: i64, arguments: [u64; 6]) {
        let at = self.records.len();
        let task = self.task(pid);
        let made = task.made.entry(number).or_default();
        let place = Place {
            task: task.number,
            number,
            nth: *made,
        };
        *made += 1;
        task.within = Some(at);
        let call = Call {
            place,
            to_log: false,
        };
        if self.fault.is_some_and(|fault| fault.place == place) {
            self.task(pid).fails = true;
            self.hit = Some(call.clone());
            ptrace::change(pid, |registers| calls::replace(number, registers));
        }
        self.records.push(Record {
            call,
            first_argument: arguments[0],
            result: 0,
        });
        self.mark_log_call(pid, at, arguments);
    }

    fn after(&mut self, pid: i32, result: i64) {
        let errno = self.fault.map(|fault| fault.errno);
        let task = self.task(pid);
        let Some(at) = task.within.take() else { return };
        let fails = std::mem::take(&mut task.fails);
        let Some(records) = self.records.get_mut(at) else {
            return;
        };
        records.result = result;
        if let (true, Some(errno)) = (fails, errno) {
            let number = records.call.place.number;
            ptrace::change(pid, |registers| calls::fail(number, errno, registers));
        }
    }

    /// Marks a call that uses the log's socket, from the call that creates it to the one that closes it.
    fn mark_log_call(&mut self, pid: i32, at: usize, arguments: [u64; 6]) {
        let now = &self.records[at];
        let descriptor = arguments[0];
        if now.call.place.number == libc::SYS_connect {
            let length = usize::try_from(arguments[2]).unwrap_or(0).min(128);
            let address = ptrace::read(pid, arguments[1], length);
            if !address.windows(8).any(|bytes| bytes == b"/dev/log") {
                return;
            }
            for records in self.records.iter_mut().rev() {
                let made = records.call.place.number == libc::SYS_socket
                    && records.result == ptrace::signed(descriptor);
                if made || records.first_argument == descriptor {
                    records.call.to_log = true;
                }
                if made {
                    break;
                }
            }
        } else if calls::takes_a_descriptor(now.call.place.number) {
            let before = self.records[..at].iter().rev();
            let mut of_it = before.filter(|record| {
                calls::takes_a_descriptor(record.call.place.number)
                    && record.first_argument == descriptor
            });
            let last = of_it.next();
            let is = last
                .is_some_and(|last| last.call.to_log && last.call.place.number != libc::SYS_close);
            self.records[at].call.to_log = is;
        }
    }
}
