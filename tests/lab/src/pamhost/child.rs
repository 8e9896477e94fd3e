//! The host process: one thread that calls libpam, and one JSON value per line on stdin and stdout.

use super::answer::{decode, read_in_place};
use super::ffi::{self, Handle};
use super::openssl::Handshake;
use super::pipe::{read_line, send};
use super::{Answer, Snapshot, children, concurrent, pipe};
use serde_json::{Value, json};
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::time::Instant;

/// The first argument that makes a test program a PAM host: its `main` then calls [`main`].
pub const FLAG: &str = "--pam-host";

/// Whether this host keeps no copy of an answer, and waits after each step.
static WIPES: AtomicBool = AtomicBool::new(false);

/// Whether it marks the begin and end of the hook for a tracer.
static MARKED: AtomicBool = AtomicBool::new(false);

fn mark(begins: bool) {
    if MARKED.load(Ordering::Relaxed) {
        // SAFETY: numbers only; there is no such descriptor.
        unsafe { libc::lseek(-1, crate::tracer::MARK + i64::from(begins), libc::SEEK_SET) };
    }
}

/// The handle whose `PAM_USER` an answer may set.
static NEWEST: AtomicPtr<Handle> = AtomicPtr::new(std::ptr::null_mut());

/// Runs the request on stdin.
pub fn main() {
    let request: Value = serde_json::from_str(&read_line()).expect("a request in JSON");
    WIPES.store(request["wipes"] == true, Ordering::Relaxed);
    MARKED.store(request["marked"] == true, Ordering::Relaxed);
    prepare(&request);
    let own_tls = (request["openssl"] == true).then(Handshake::begin);
    let mut handle = start(&request);
    send(&json!({ "before": snapshot().to_json() }));
    wait_if_watched();
    let flags = number(&request["flags"]);
    let mut last = ffi::SUCCESS;
    for step in request["steps"].as_array().expect("steps") {
        let start_time = Instant::now();
        // SAFETY: the handle was returned by start(), and is not ended yet.
        let result = unsafe {
            match step.as_str() {
                Some("authenticate") => {
                    mark(true);
                    let result = ffi::pam_authenticate(handle, flags);
                    mark(false);
                    result
                }
                Some("account") => ffi::pam_acct_mgmt(handle, flags),
                Some("credentials") => ffi::pam_setcred(handle, flags | ffi::ESTABLISH_CRED),
                Some("open-session") => ffi::pam_open_session(handle, flags),
                Some("close-session") => ffi::pam_close_session(handle, flags),
                Some("change-password") => ffi::pam_chauthtok(handle, flags),
                Some("restart") => {
                    end(handle, last);
                    handle = start(&request);
                    continue;
                }
                Some("measure") => {
                    concurrent::measure();
                    continue;
                }
                _ => match compound_step(&request, handle, flags, step) {
                    Some(result) => result,
                    None => continue,
                },
            }
        };
        last = result;
        let micros = u64::try_from(start_time.elapsed().as_micros()).unwrap_or(u64::MAX);
        send(&json!({ "result": result, "micros": micros }));
        wait_if_watched();
    }
    let user = user(handle);
    if request["sigchld"].is_string() {
        children::report();
    }
    end(handle, last);
    if let Some(handshake) = own_tls {
        send(&json!({ "note": "openssl", "version": handshake.end() }));
    }
    send(&json!({ "after": snapshot().to_json(), "user": user }));
    wait_if_watched();
}

fn wait_if_watched() {
    if WIPES.load(Ordering::Relaxed) {
        read_line();
    }
}

/// Runs the steps of several calls; returns the code of those that have one code.
fn compound_step(
    request: &Value,
    handle: *mut Handle,
    flags: c_int,
    step: &Value,
) -> Option<c_int> {
    if let Some(many) = step["rounds"].as_u64() {
        return Some(concurrent::rounds(request, flags, many));
    }
    if let Some(spare) = step["crowded"].as_u64() {
        return Some(concurrent::crowded(handle, flags, spare));
    }
    if let Some(names) = step["at-once"].as_array() {
        concurrent::at_once(request, flags, names);
    } else if let Some(name) = step["forked"].as_str() {
        concurrent::forked(handle, flags, name);
    } else {
        let name = c_string(&step["user"]).expect("a step");
        set_item(handle, ffi::ITEM_USER, &name);
    }
    None
}

/// Gives the process the requested properties.
fn prepare(request: &Value) {
    if request["closed"] == true {
        pipe::move_away();
    }
    // glibc installs a signal handler when the first thread is created.
    std::thread::spawn(|| ()).join().expect("a thread");
    concurrent::settle();
    if request["spread"] == true {
        spread();
    }
    // Rust's runtime ignores SIGPIPE; sshd, sudo and su do not.
    // SAFETY: setting a disposition touches no memory of this program.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    children::prepare(request);
    if let Some(group) = request["group"].as_u64() {
        let number = |value: &Value| value.as_u64().and_then(|id| libc::gid_t::try_from(id).ok());
        let group = libc::gid_t::try_from(group).expect("a group");
        let groups = request["groups"].as_array().into_iter().flatten();
        let groups: Vec<libc::gid_t> = groups.filter_map(number).collect();
        // SAFETY: a list and its length; then numbers.
        let done = unsafe {
            libc::setgroups(groups.len(), groups.as_ptr()) | libc::setresgid(group, group, group)
        };
        assert_eq!(done, 0, "cannot take the group {group}");
    }
    if let Some(uid) = request["real_uid"].as_u64() {
        let uid = libc::uid_t::try_from(uid).expect("a uid");
        // SAFETY: changes ids only. The effective and saved ids stay root's, as in a setuid program.
        let done = unsafe { libc::setresuid(uid, u32::MAX, u32::MAX) };
        assert_eq!(done, 0, "cannot take the real uid {uid}");
    }
}

/// Opens a descriptor at the highest number that the system allows, and raises the limit to it.
fn spread() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = std::fs::read_to_string("/proc/sys/fs/nr_open").expect("/proc");
    let most = most.trim().parse().expect("a number");
    let limit = |most| Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    // In a container root may not be allowed to raise it.
    let most = match setrlimit(Resource::Nofile, limit(most)) {
        Ok(()) => most,
        Err(_) => getrlimit(Resource::Nofile).maximum.unwrap_or(most),
    };
    setrlimit(Resource::Nofile, limit(most)).expect("a limit");
    let last = c_int::try_from(most - 1).expect("a descriptor");
    // SAFETY: nothing else is at that number; it stays open on purpose.
    assert_eq!(unsafe { libc::dup2(2, last) }, last);
}

pub(super) fn start(request: &Value) -> *mut Handle {
    static CONVERSATION: Shared = Shared(ffi::Conversation {
        converse: crate::pamhost::child::converse,
        data: std::ptr::null_mut(),
    });
    let service = c_string(&request["service"]).expect("a service");
    let user = c_string(&request["user"]);
    let folder = c_string(&request["folder"]);
    let user = user.as_ref().map_or(std::ptr::null(), |user| user.as_ptr());
    let mut handle = std::ptr::null_mut();
    // SAFETY: all strings are valid during the call (libpam copies them), the conversation is static.
    let result = unsafe {
        match &folder {
            Some(folder) => ffi::pam_start_confdir(
                service.as_ptr(),
                user,
                &raw const CONVERSATION.0,
                folder.as_ptr(),
                &raw mut handle,
            ),
            None => ffi::pam_start(
                service.as_ptr(),
                user,
                &raw const CONVERSATION.0,
                &raw mut handle,
            ),
        }
    };
    if result != ffi::SUCCESS {
        // libpam cannot read the stack: there is no handle, and the run ends here.
        send(&json!({ "result": result, "micros": 0 }));
        std::process::exit(0);
    }
    NEWEST.store(handle, Ordering::Relaxed);
    for (name, item) in [
        ("tty", ffi::ITEM_TTY),
        ("rhost", ffi::ITEM_RHOST),
        ("ruser", ffi::ITEM_RUSER),
    ] {
        if let Some(value) = c_string(&request["items"][name]) {
            set_item(handle, item, &value);
        }
    }
    if request["no_delay"] == true {
        let at_once = at_once as extern "C" fn(c_int, c_uint, *mut c_void);
        // SAFETY: the handle is valid, and the function has the type of this item.
        unsafe { ffi::pam_set_item(handle, ffi::ITEM_FAIL_DELAY, at_once as *const c_void) };
    }
    if let Some(assignment) = c_string(&request["pam_env"]) {
        // SAFETY: the handle is valid, libpam copies the string.
        unsafe { ffi::pam_putenv(handle, assignment.as_ptr()) };
    }
    handle
}

/// Replaces the delay.
extern "C" fn at_once(_result: c_int, _microseconds: c_uint, _data: *mut c_void) {}

pub(super) fn end(handle: *mut Handle, last: c_int) {
    // SAFETY: the handle was returned by start(), and is not used afterwards.
    unsafe { ffi::pam_end(handle, last) };
}

struct Shared(ffi::Conversation);

// SAFETY: it contains a function and a null pointer, and is never written to.
unsafe impl Sync for Shared {}

pub(super) fn set_item(handle: *mut Handle, item: c_int, value: &CStr) {
    // SAFETY: the handle is valid, libpam copies the string.
    unsafe { ffi::pam_set_item(handle, item, value.as_ptr().cast()) };
}

fn user(handle: *mut Handle) -> Option<String> {
    let mut value = std::ptr::null();
    // SAFETY: the handle is valid; PAM_USER is a string that libpam owns, or null.
    unsafe {
        ffi::pam_get_item(handle, ffi::ITEM_USER, &raw mut value);
        if value.is_null() {
            return None;
        }
        Some(
            std::ffi::CStr::from_ptr(value.cast())
                .to_string_lossy()
                .into_owned(),
        )
    }
}

/// Sends each message to the parent, and reads an answer for each prompt.
extern "C" fn converse(
    count: c_int,
    messages: *mut *const ffi::Message,
    responses: *mut *mut ffi::Response,
    _data: *mut c_void,
) -> c_int {
    mark(false);
    children::wait();
    let result = show(count, messages, responses);
    mark(true);
    result
}

fn show(
    count: c_int,
    messages: *mut *const ffi::Message,
    responses: *mut *mut ffi::Response,
) -> c_int {
    let count = usize::try_from(count).expect("a count of messages");
    let _turn = pipe::turn();
    // SAFETY: calloc; the null pointer is checked below.
    let array = unsafe { libc::calloc(count, size_of::<ffi::Response>()) }.cast::<ffi::Response>();
    assert!(!array.is_null(), "no memory for responses");
    for index in 0..count {
        // SAFETY: libpam passes `count` pointers to messages whose texts are C strings.
        let (style, text) = unsafe {
            let message = *messages.add(index);
            (
                (*message).style,
                std::ffi::CStr::from_ptr((*message).text).to_string_lossy(),
            )
        };
        send(&json!({ "message": text, "style": style }));
        // PAM_PROMPT_ECHO_OFF and PAM_PROMPT_ECHO_ON.
        if !(1..=2).contains(&style) {
            continue;
        }
        let answer = if WIPES.load(Ordering::Relaxed) {
            // SAFETY: `index` is within the array, whose answers are null or from calloc.
            read_in_place(unsafe { &mut (*array.add(index)).answer })
        } else {
            decode(&read_line())
        };
        match answer {
            Answer::Text(text) => place(array, index, text.as_bytes()),
            Answer::Bytes(bytes) => place(array, index, &bytes),
            Answer::SetUser(name, text) => {
                let name = CString::new(name).expect("a name without NUL");
                set_item(NEWEST.load(Ordering::Relaxed), ffi::ITEM_USER, &name);
                place(array, index, text.as_bytes());
            }
            Answer::Null => {}
            Answer::ConvErr | Answer::KillHost => {
                // SAFETY: the array and the answers in it are from calloc.
                unsafe {
                    for index in 0..count {
                        libc::free((*array.add(index)).answer.cast());
                    }
                    libc::free(array.cast());
                }
                return ffi::CONV_ERR;
            }
        }
    }
    // SAFETY: libpam passes a valid pointer, and frees the array.
    unsafe { *responses = array };
    ffi::SUCCESS
}

fn place(array: *mut ffi::Response, index: usize, bytes: &[u8]) {
    // SAFETY: the copy has space for the bytes and the NUL after them; `index` is within the array.
    unsafe {
        let copy = libc::calloc(bytes.len() + 1, 1).cast::<c_char>();
        assert!(!copy.is_null(), "no memory for an answer");
        std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), copy, bytes.len());
        (*array.add(index)).answer = copy;
    }
}

fn snapshot() -> Snapshot {
    // SAFETY: the number was just read from /proc/self/fd, and the only thread does not close it.
    Snapshot::take(|number| unsafe { BorrowedFd::borrow_raw(number) })
}

/// Converts a string or an array of bytes.
fn c_string(value: &Value) -> Option<CString> {
    let bytes = match value {
        Value::String(text) => text.clone().into_bytes(),
        Value::Array(bytes) => bytes.iter().filter_map(byte).collect(),
        _ => return None,
    };
    Some(CString::new(bytes).expect("a text without NUL"))
}

fn byte(value: &Value) -> Option<u8> {
    u8::try_from(value.as_u64()?).ok()
}

fn number(value: &Value) -> c_int {
    c_int::try_from(value.as_i64().unwrap_or_default()).expect("flags")
}
