//! Whether the threads of this process get to do their work.
//!
//! Whoever owns a control group can stop or starve single threads of a process that runs in it, root's
//! too (cgroup v2 with a delegated subtree): so no thread can vouch for another. Each one that is on
//! duty says in short turns that it still runs, in the middle of a wait as well, and when it will say
//! so next. It stood still for as long as it is late then, but for what it had of a processor.
#![forbid(unsafe_code)]

use std::{
    cell::RefCell,
    marker::PhantomData,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

use super::{
    Deadline, Moment,
    standstill::{Reading, Standstill},
};

/// Longest turn of a wait, and what part of the wait it is at most, but no shorter than that: a
/// standstill within one turn is not seen.
const TURN: Duration = Duration::from_millis(100);
const PARTS: u32 = 8;
const SHORTEST: Duration = Duration::from_millis(5);

/// A busy machine lets a thread wait as long now and then.
const HICCUP: Duration = Duration::from_millis(250);

/// An idle one, so long.
const JITTER: Duration = Duration::from_millis(20);

/// When nobody waits for a thread.
const NEVER: u64 = u64::MAX;

static POSTS: Mutex<Vec<Arc<Post>>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: RefCell<Option<Mine>> = const { RefCell::new(None) };
}

/// What others can see of a thread on duty. All in milliseconds.
struct Post {
    /// When it is to be heard of next, since boot.
    due: AtomicU64,
    late: AtomicU64,
    long: AtomicU64,
}

impl Post {
    fn count(&self, late: Duration) {
        let Reading { late, long } = weigh(late);
        self.late.fetch_add(millis(late), Ordering::Relaxed);
        self.long.fetch_add(millis(long), Ordering::Relaxed);
    }

    /// What it has counted, and by how much it is late now.
    fn read(&self) -> Reading {
        let due = match self.due.load(Ordering::Relaxed) {
            NEVER => Moment::now(),
            due => Moment::at(Duration::from_millis(due)),
        };
        let now = weigh(Moment::now().since(due));
        let sum = |so_far: &AtomicU64, now: Duration| {
            Duration::from_millis(so_far.load(Ordering::Relaxed)).saturating_add(now)
        };
        Reading {
            late: sum(&self.late, now.late),
            long: sum(&self.long, now.long),
        }
    }
}

/// What of it is more than what every machine has.
fn weigh(late: Duration) -> Reading {
    let above = |least| if late > least { late } else { Duration::ZERO };
    Reading {
        late: above(JITTER),
        long: above(HICCUP),
    }
}

/// What a thread knows of itself.
struct Mine {
    post: Arc<Post>,
    due: Moment,
    /// What it had of a processor when it was heard of last.
    worked: Duration,
}

impl Mine {
    fn beat(&mut self, turn: Duration) {
        let (now, worked) = (Moment::now(), worked());
        let late = now.since(self.due);
        self.post
            .count(late.saturating_sub(worked.saturating_sub(self.worked)));
        self.due(now.after(turn), worked);
    }

    fn due(&mut self, due: Moment, worked: Duration) {
        (self.due, self.worked) = (due, worked);
        let due = millis(due.since(Moment::at(Duration::ZERO)));
        self.post.due.store(due, Ordering::Relaxed);
    }
}

/// A thread's duty to be heard of. It begins with whoever starts the thread: one that is stopped
/// before its first step is missed, too.
pub struct Duty(Arc<Post>);

impl Duty {
    /// From now on somebody is waited for.
    #[must_use]
    pub fn begin() -> Self {
        let now = Moment::now().since(Moment::at(Duration::ZERO));
        let post = Arc::new(Post {
            due: AtomicU64::new(millis(now)),
            late: AtomicU64::new(0),
            long: AtomicU64::new(0),
        });
        posts().push(Arc::clone(&post));
        Self(post)
    }

    /// This thread is the one.
    #[must_use]
    pub fn take_up(self) -> OnDuty {
        let post = Arc::clone(&self.0);
        let due = Moment::at(Duration::from_millis(post.due.load(Ordering::Relaxed)));
        let mut mine = Mine {
            post,
            due,
            worked: worked(),
        };
        mine.beat(Duration::ZERO);
        MINE.set(Some(mine));
        OnDuty(self, PhantomData)
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        self.0.due.store(NEVER, Ordering::Relaxed);
    }
}

/// This thread is on duty. Dropped, it is not any more.
pub struct OnDuty(
    #[allow(dead_code, reason = "for its drop")] Duty,
    PhantomData<*const ()>,
);

impl Drop for OnDuty {
    fn drop(&mut self) {
        MINE.set(None);
    }
}

/// Nobody waits for this thread: it waits for a person. Dropped, it is on duty as before.
pub struct Rest(PhantomData<*const ()>);

impl Rest {
    /// From now on.
    #[must_use]
    pub fn begin() -> Self {
        with_mine(|mine| {
            mine.beat(Duration::ZERO);
            mine.post.due.store(NEVER, Ordering::Relaxed);
        });
        Self(PhantomData)
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        with_mine(|mine| mine.due(Moment::now(), worked()));
    }
}

/// How all threads were kept from their work so far.
#[must_use]
pub fn standstill() -> Standstill {
    posts().iter().map(|post| post.read()).collect()
}

/// Begins a turn of a wait that ends at that moment, and says how long it may be. Whoever has waited
/// says so ([`turned`]).
#[must_use]
pub fn turn(by: Deadline) -> Duration {
    let left = by.left();
    let part = left.checked_div(PARTS).unwrap_or(left);
    let turn = part.clamp(SHORTEST, TURN).min(left);
    with_mine(|mine| mine.beat(turn));
    turn
}

/// A turn is over.
pub fn turned() {
    with_mine(|mine| mine.beat(Duration::ZERO));
}

/// Waits in turns until there is something, or the time is over: once at least, be it for nothing.
pub fn in_turns<T>(by: Deadline, mut wait: impl FnMut(Duration) -> Option<T>) -> Option<T> {
    loop {
        let found = wait(turn(by));
        turned();
        if found.is_some() || by.is_over() {
            return found;
        }
    }
}

/// Waits for what another thread has to say.
pub fn receive<T>(from: &Receiver<T>, by: Deadline) -> Result<T, RecvTimeoutError> {
    let heard = in_turns(by, |turn| match from.recv_timeout(turn) {
        Err(RecvTimeoutError::Timeout) => None,
        ended => Some(ended),
    });
    heard.unwrap_or(Err(RecvTimeoutError::Timeout))
}

/// The same, where nothing but that thread's own panic keeps it from saying it: then whoever waits
/// panics as well, because it is the same login's. `None`: not in time.
#[must_use]
pub fn hear<T, R>(from: &Receiver<T>, thread: JoinHandle<R>, by: Deadline) -> Option<T> {
    match receive(from, by) {
        Ok(said) => Some(said),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(_) => None,
        },
    }
}

/// Does nothing for a while.
pub fn sleep(while_: Duration) {
    in_turns(Deadline::within(while_), |turn| {
        std::thread::sleep(turn);
        None::<()>
    });
}

fn with_mine(change: impl FnOnce(&mut Mine)) {
    MINE.with_borrow_mut(|mine| mine.as_mut().map(change));
}

fn posts() -> MutexGuard<'static, Vec<Arc<Post>>> {
    POSTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What this thread had of a processor so far.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
