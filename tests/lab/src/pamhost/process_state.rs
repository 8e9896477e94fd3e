//! Process state that /proc does not list: timers, signal actions, scheduling, prctl(2).

use std::collections::BTreeMap;

/// Returns each with its value as a comparable text.
pub fn facts() -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for (name, which) in [
        ("timer real", libc::ITIMER_REAL),
        ("timer virtual", libc::ITIMER_VIRTUAL),
        ("timer prof", libc::ITIMER_PROF),
    ] {
        facts.insert(name.to_owned(), timer(which));
    }
    for signal in 1..=64 {
        if let Some(action) = action(signal) {
            facts.insert(format!("action {signal}"), action);
        }
    }
    facts.insert("priority".to_owned(), priority());
    facts.insert("policy".to_owned(), policy());
    facts.insert("processors".to_owned(), processors());
    for (name, option) in [
        ("dumpable", libc::PR_GET_DUMPABLE),
        ("keeps capabilities", libc::PR_GET_KEEPCAPS),
        ("secure bits", libc::PR_GET_SECUREBITS),
        ("timer slack", libc::PR_GET_TIMERSLACK),
        ("no huge pages", libc::PR_GET_THP_DISABLE),
    ] {
        // SAFETY: these only return a number; what they do not use must be zero.
        let value = unsafe { libc::prctl(option, 0, 0, 0, 0) };
        facts.insert(name.to_owned(), value.to_string());
    }
    for (name, option) in [
        ("parent death signal", libc::PR_GET_PDEATHSIG),
        ("subreaper", libc::PR_GET_CHILD_SUBREAPER),
    ] {
        let mut value: libc::c_int = -1;
        // SAFETY: these write one number.
        unsafe { libc::prctl(option, &raw mut value, 0, 0, 0) };
        facts.insert(name.to_owned(), value.to_string());
    }
    let mut name = [0_u8; 16];
    // SAFETY: writes at most 16 bytes.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr(), 0, 0, 0) };
    let name = String::from_utf8_lossy(&name).into_owned();
    facts.insert("name".to_owned(), name.trim_end_matches('\0').to_owned());
    facts
}

/// alarm(2) is the real timer. The remaining time would differ between two calls, so only whether it runs
/// is returned.
fn timer(which: libc::c_int) -> String {
    // SAFETY: all-zero is a valid itimerval, and getitimer(2) writes one.
    let timer = unsafe {
        let mut timer: libc::itimerval = std::mem::zeroed();
        libc::getitimer(which, &raw mut timer);
        timer
    };
    let runs = timer.it_value.tv_sec != 0 || timer.it_value.tv_usec != 0;
    let interval = (timer.it_interval.tv_sec, timer.it_interval.tv_usec);
    format!("runs: {runs}, every {interval:?}")
}

/// `None` for glibc's internal signals, which cannot be queried.
fn action(signal: libc::c_int) -> Option<String> {
    // SAFETY: all-zero is a valid sigaction; with none given the call only writes the present one.
    let (done, action) = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let done = libc::sigaction(signal, std::ptr::null(), &raw mut action);
        (done, action)
    };
    let masked = |number: &libc::c_int| {
        // SAFETY: a valid set and the number of a signal.
        unsafe { libc::sigismember(&raw const action.sa_mask, *number) == 1 }
    };
    let mask: Vec<libc::c_int> = (1..=64).filter(masked).collect();
    // Without SA_RESTORER, which glibc adds whenever it sets an action.
    let (handler, flags) = (action.sa_sigaction, action.sa_flags & !0x0400_0000);
    (done == 0).then(|| format!("{handler:#x}, flags {flags:#x}, masks {mask:?}"))
}

fn priority() -> String {
    // SAFETY: only returns a number.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }.to_string()
}

fn policy() -> String {
    // SAFETY: the first only returns a number, the second writes one struct.
    unsafe {
        let mut real_time: libc::sched_param = std::mem::zeroed();
        libc::sched_getparam(0, &raw mut real_time);
        let policy = libc::sched_getscheduler(0);
        format!("{policy}, {}", real_time.sched_priority)
    }
}

fn processors() -> String {
    // SAFETY: all-zero is a valid set, and one of its size is written.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set);
        set
    };
    let all = 0..usize::try_from(libc::CPU_SETSIZE).expect("a number");
    // SAFETY: within the set.
    let has = |number: &usize| unsafe { libc::CPU_ISSET(*number, &set) };
    format!("{:?}", all.filter(has).collect::<Vec<_>>())
}
