//! Who calls what: the host while it is in the hook, and its helper from birth to death.
#![forbid(unsafe_code)]

use super::ptrace::{self, Moment, Stop};
use super::{Call, Fault, MARK, Place, calls};
use std::collections::BTreeMap;

/// A thread that is followed.
struct Task {
    number: u32,
    /// How often it has made each call.
    made: BTreeMap<i64, u32>,
    /// Its place in the list of calls, while it is in one that counts.
    within: Option<usize>,
    /// What to do when it comes back from a call.
    spoilt: bool,
}

/// A call, and what tells whose it is.
struct Noted {
    call: Call,
    first_argument: u64,
    result: i64,
}

struct Following {
    host: i32,
    /// Whether the host is in the hook.
    in_hook: bool,
    tasks: BTreeMap<i32, Task>,
    /// How many there have been.
    begun: u32,
    noted: Vec<Noted>,
    fault: Option<Fault>,
    hit: Option<Call>,
}

/// Follows a host to its end. Says that it does so when it does.
pub fn host(pid: i32, fault: Option<Fault>) -> Vec<Call> {
    let mut following = Following {
        host: pid,
        in_hook: false,
        tasks: BTreeMap::new(),
        begun: 0,
        noted: Vec::new(),
        fault,
        hit: None,
    };
    following.task(pid);
    ptrace::seize(pid);
    let mut said = false;
    while let Some(stop) = ptrace::next() {
        match stop {
            Stop::Gone(task) => {
                following.tasks.remove(&task);
            }
            Stop::Begot(task, child) => {
                following.task(child);
                ptrace::go_on(task, 0);
            }
            Stop::Call(task) => {
                following.at_call(task);
                ptrace::go_on(task, 0);
            }
            Stop::Signal(task, signal) => ptrace::go_on(task, signal),
            Stop::Halted(task) => ptrace::listen(task),
            Stop::Other(task) => {
                following.task(task);
                ptrace::go_on(task, 0);
                if !said {
                    println!("ready");
                    said = true;
                }
            }
        }
    }
    match following.fault {
        Some(_) => following.hit.into_iter().collect(),
        None => following
            .noted
            .into_iter()
            .map(|noted| noted.call)
            .collect(),
    }
}

impl Following {
    /// A thread, which may be a new one.
    fn task(&mut self, pid: i32) -> &mut Task {
        self.tasks.entry(pid).or_insert_with(|| {
            let number = self.begun;
            self.begun += 1;
            Task {
                number,
                made: BTreeMap::new(),
                within: None,
                spoilt: false,
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
        let at = self.noted.len();
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
            self.task(pid).spoilt = true;
            self.hit = Some(call.clone());
            ptrace::change(pid, |registers| calls::spoil(number, registers));
        }
        self.noted.push(Noted {
            call,
            first_argument: arguments[0],
            result: 0,
        });
        self.is_of_the_log(pid, at, arguments);
    }

    fn after(&mut self, pid: i32, result: i64) {
        let errno = self.fault.map(|fault| fault.errno);
        let task = self.task(pid);
        let Some(at) = task.within.take() else { return };
        let spoilt = std::mem::take(&mut task.spoilt);
        let Some(noted) = self.noted.get_mut(at) else {
            return;
        };
        noted.result = result;
        if let (true, Some(errno)) = (spoilt, errno) {
            let number = noted.call.place.number;
            ptrace::change(pid, |registers| calls::fail(number, errno, registers));
        }
    }

    /// Finds out whether a call is about the log's socket: from the one that made it to the one that
    /// closes it.
    fn is_of_the_log(&mut self, pid: i32, at: usize, arguments: [u64; 6]) {
        let now = &self.noted[at];
        let descriptor = arguments[0];
        if now.call.place.number == libc::SYS_connect {
            let length = usize::try_from(arguments[2]).unwrap_or(0).min(128);
            let address = ptrace::read(pid, arguments[1], length);
            if !address.windows(8).any(|bytes| bytes == b"/dev/log") {
                return;
            }
            for noted in self.noted.iter_mut().rev() {
                let made = noted.call.place.number == libc::SYS_socket
                    && noted.result == ptrace::signed(descriptor);
                if made || noted.first_argument == descriptor {
                    noted.call.to_log = true;
                }
                if made {
                    break;
                }
            }
        } else if calls::takes_a_descriptor(now.call.place.number) {
            let before = self.noted[..at].iter().rev();
            let mut of_it = before.filter(|noted| {
                calls::takes_a_descriptor(noted.call.place.number)
                    && noted.first_argument == descriptor
            });
            let last = of_it.next();
            let is = last
                .is_some_and(|last| last.call.to_log && last.call.place.number != libc::SYS_close);
            self.noted[at].call.to_log = is;
        }
    }
}
