//! The distance to the servers: every packet between a login and a server is held for half of a
//! round trip, and counted.
//!
//! The bench moves into a network of its own, where a TUN device is the way to [`FAR`]. What a login
//! sends there comes out of the device, waits, and goes back in for the server on 127.0.0.1; the
//! server's answers go the same way. So the servers listen on loopback only, and know of nothing.

use lab::process::{program, run};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::UnshareFlags;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Where every server is reached.
pub const FAR: &str = "10.77.116.181";
/// Where logins come from. As sixteen-bit words it adds up to what 127.0.0.1 adds up to, so that no
/// checksum changes when one stands for the other (RFC 1071).
const NEAR: [u8; 4] = [10, 77, 116, 180];
const BEYOND: [u8; 4] = [10, 77, 116, 181];
const LOOPBACK: [u8; 4] = [127, 0, 0, 1];
const DEVICE: &str = "road0";

/// The road. It is there until the process ends.
#[derive(Debug)]
pub struct Road {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In nanoseconds.
    round_trip: AtomicU64,
    out: Way,
    back: Way,
}

#[derive(Debug, Default)]
struct Way {
    bytes: AtomicU64,
    packets: AtomicU64,
}

/// What has gone over the road, IP and TCP headers included.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    pub bytes_out: u64,
    pub bytes_back: u64,
    pub packets: u64,
}

/// A packet on its way.
struct Packet {
    arrives: Instant,
    bytes: Vec<u8>,
}

impl Road {
    /// Moves this thread, and what it starts from now on, into a network of its own. Before there are
    /// servers: they stay where they were started.
    pub fn lay() -> Result<Self, String> {
        // SAFETY: NEWNET touches neither the table of descriptors nor memory.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
            .map_err(|e| format!("no network of its own here: {e}"))?;
        let device = open().map_err(|e| format!("no /dev/net/tun here: {e}"))?;
        let near = NEAR.map(|byte| byte.to_string()).join(".") + "/31";
        for words in [
            &["link", "set", "lo", "up"][..],
            &["address", "add", &near, "dev", DEVICE],
            // A crowd sends many packets at once, and none is to be lost here.
            &["link", "set", DEVICE, "up", "txqueuelen", "20000"],
        ] {
            run(Command::new(program("ip")).args(words));
        }
        // Else the kernel drops what comes for 127.0.0.1 from elsewhere (ip-sysctl).
        let allow = format!("/proc/sys/net/ipv4/conf/{DEVICE}/route_localnet");
        std::fs::write(&allow, "1").map_err(|e| format!("cannot write {allow}: {e}"))?;
        // Else a connection begins with what an earlier one has learned about the way.
        let _ = std::fs::write("/proc/sys/net/ipv4/tcp_no_metrics_save", "1");
        let state = Arc::new(State::default());
        let road = Arc::clone(&state);
        std::thread::spawn(move || carry(device, &road));
        Ok(Self { state })
    }

    /// From now on a round trip takes this long.
    pub fn set_round_trip(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).expect("a short time");
        self.state.round_trip.store(time, Ordering::Relaxed);
    }

    /// So far.
    pub fn traffic(&self) -> Traffic {
        let State { out, back, .. } = &*self.state;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Traffic {
            bytes_out: of(&out.bytes),
            bytes_back: of(&back.bytes),
            packets: of(&out.packets) + of(&back.packets),
        }
    }
}

impl Traffic {
    /// What has gone since then.
    pub fn since(self, then: Self) -> Self {
        Self {
            bytes_out: self.bytes_out - then.bytes_out,
            bytes_back: self.bytes_back - then.bytes_back,
            packets: self.packets - then.packets,
        }
    }
}

/// The device, which is gone when it is closed.
fn open() -> std::io::Result<File> {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    // SAFETY: all zeroes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(DEVICE.bytes()) {
        *place = libc::c_char::try_from(byte).expect("ASCII");
    }
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI).expect("flags of 16 bits");
    // SAFETY: TUNSETIFF reads an ifreq, which lives through the call.
    let done = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw const request) };
    if done == 0 {
        Ok(device)
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// Until the process ends: packets come, wait, and go on in the order in which they came.
fn carry(mut device: File, state: &State) {
    // SAFETY: about this thread's own timers: the kernel may be late by a nanosecond, not by 50 µs.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let mut queue: VecDeque<Packet> = VecDeque::new();
    // More than a TUN device's packets of 1500.
    let mut buffer = [0; 2048];
    loop {
        let timeout = queue.front().map(|packet| {
            let left = packet.arrives.saturating_duration_since(Instant::now());
            Timespec::try_from(left).expect("a short time")
        });
        let mut wanted = [PollFd::new(&device, PollFlags::IN)];
        let _ = poll(&mut wanted, timeout.as_ref());
        loop {
            let size = match device.read(&mut buffer) {
                Ok(size) => size,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => panic!("the road is closed: {e}"),
            };
            let half = Duration::from_nanos(state.round_trip.load(Ordering::Relaxed) / 2);
            let mut bytes = buffer[..size].to_vec();
            if turn(&mut bytes, state) {
                let arrives = Instant::now() + half;
                queue.push_back(Packet { arrives, bytes });
            }
        }
        while queue
            .front()
            .is_some_and(|packet| packet.arrives <= Instant::now())
        {
            if let Some(packet) = queue.pop_front() {
                // What the kernel does not take is a lost packet.
                let _ = device.write(&packet.bytes);
            }
        }
    }
}

/// Makes what was sent what the other side gets, and counts it. Only IPv4 goes this way.
fn turn(packet: &mut [u8], state: &State) -> bool {
    if packet.len() < 20 || packet[0] >> 4 != 4 || packet[16..20] != BEYOND {
        return false;
    }
    let (way, to) = if packet[12..16] == LOOPBACK {
        (&state.back, NEAR)
    } else {
        (&state.out, LOOPBACK)
    };
    packet[12..16].copy_from_slice(&BEYOND);
    packet[16..20].copy_from_slice(&to);
    let size = u64::try_from(packet.len()).expect("a size");
    way.bytes.fetch_add(size, Ordering::Relaxed);
    way.packets.fetch_add(1, Ordering::Relaxed);
    true
}
