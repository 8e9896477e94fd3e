use std::thread;

use super::*;

const A_WHILE: Duration = Duration::from_millis(400);

/// A duty of this thread's, what it does on it, what is read of it then, and how long that took.
fn on_duty(act: impl FnOnce()) -> (Reading, Duration) {
    let began = Moment::now();
    let duty = Duty::begin();
    let post = Arc::clone(&duty.0);
    let on_duty = duty.take_up();
    act();
    let read = post.read();
    let took = Moment::now().since(began);
    drop(on_duty);
    thread::sleep(Duration::from_millis(30));
    assert!(post.read().late <= took, "nobody waits for it any more");
    (read, took)
}

/// Clocks here count in milliseconds.
const ROUGHLY: Duration = Duration::from_millis(10);

/// A machine that does much else may keep it from running for a while: that is what it takes longer, or
/// does not happen each time.
fn is_no_standstill(act: impl Fn()) {
    let mut seen = Vec::new();
    for _ in 0..5 {
        let (read, took) = on_duty(&act);
        if read.late * 2 < took || read.late <= took.saturating_sub(A_WHILE) + ROUGHLY {
            return;
        }
        seen.push((read, took));
    }
    panic!("{seen:?}");
}

#[test]
fn a_thread_that_says_nothing_stands_still() {
    let (read, took) = on_duty(|| thread::sleep(A_WHILE));
    for of in [read.late, read.long] {
        assert!(
            of >= A_WHILE * 9 / 10 && of <= took + ROUGHLY,
            "{read:?} in {took:?}"
        );
    }
    // While it lasts, and afterwards.
    let (later, _) = on_duty(|| {
        thread::sleep(A_WHILE);
        turned();
    });
    assert!(later.long >= A_WHILE * 9 / 10, "{later:?}");
}

#[test]
fn waiting_and_working_are_no_standstill() {
    is_no_standstill(|| sleep(A_WHILE));
    is_no_standstill(|| {
        let (_open, nothing) = std::sync::mpsc::channel::<()>();
        let heard = receive(&nothing, Deadline::within(A_WHILE));
        assert_eq!(heard, Err(RecvTimeoutError::Timeout));
    });
    is_no_standstill(|| {
        let until = worked() + A_WHILE;
        while worked() < until {}
        turned();
    });
    is_no_standstill(|| {
        let rest = Rest::begin();
        thread::sleep(A_WHILE);
        drop(rest);
    });
}

#[test]
fn a_thread_that_never_begins_is_missed() {
    let duty = Duty::begin();
    thread::sleep(A_WHILE);
    let missed = duty.0.read();
    assert!(missed.long >= A_WHILE * 9 / 10, "{missed:?}");
    // It is heard of at last.
    let post = Arc::clone(&duty.0);
    thread::spawn(move || drop(duty.take_up())).join().unwrap();
    assert!(post.read().long + ROUGHLY >= missed.long);
}

#[test]
fn whoever_has_ended_is_waited_for_no_longer() {
    let (gone, nothing) = std::sync::mpsc::channel::<()>();
    drop(gone);
    let by = Deadline::within(Duration::from_secs(3600));
    assert_eq!(receive(&nothing, by), Err(RecvTimeoutError::Disconnected));
}
