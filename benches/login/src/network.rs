//! Emulates the distance to the servers: delays every packet between a login and a server by half of a
//! round-trip time, and counts it.
//!
//! The bench enters a network namespace in which a TUN device is the route to [`FAR`]. A packet of a login
//! to that address is read from the device, delayed, and written back with the address of the server on
//! 127.0.0.1; replies take the same path. So the servers only need to listen on loopback.

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

/// The address of all servers.
pub const FAR: &str = "10.77.116.181";
/// The source address of logins. Its sixteen-bit words have the same sum as those of 127.0.0.1, so that a
/// checksum stays valid when one replaces the other (RFC 1071).
const NEAR: [u8; 4] = [10, 77, 116, 180];
const FAR_BYTES: [u8; 4] = [10, 77, 116, 181];
const LOOPBACK: [u8; 4] = [127, 0, 0, 1];
const DEVICE: &str = "delay0";

/// The emulated network, which exists until the process ends.
#[derive(Debug)]
pub struct Network {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In nanoseconds.
    round_trip: AtomicU64,
    sent: Direction,
    received: Direction,
}

#[derive(Debug, Default)]
struct Direction {
    bytes: AtomicU64,
    packets: AtomicU64,
}

/// The traffic so far, with the headers of IP and TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub packets: u64,
}

/// A delayed packet.
struct Packet {
    due: Instant,
    bytes: Vec<u8>,
}

impl Network {
    /// Moves this thread, and all threads and processes that it starts later, into a network namespace.
    /// Servers have to be started after it.
    pub fn enter() -> Result<Self, String> {
        // SAFETY: NEWNET touches neither the table of descriptors nor memory.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
            .map_err(|e| format!("cannot create a network namespace: {e}"))?;
        let device = open().map_err(|e| format!("cannot open /dev/net/tun: {e}"))?;
        let near = NEAR.map(|byte| byte.to_string()).join(".") + "/31";
        for args in [
            &["link", "set", "lo", "up"][..],
            &["address", "add", &near, "dev", DEVICE],
            // Many logins send many packets at once, and none may be dropped.
            &["link", "set", DEVICE, "up", "txqueuelen", "20000"],
        ] {
            run(Command::new(program("ip")).args(args));
        }
        // Otherwise the kernel drops packets to 127.0.0.1 that do not come from loopback (ip-sysctl).
        let allow = format!("/proc/sys/net/ipv4/conf/{DEVICE}/route_localnet");
        std::fs::write(&allow, "1").map_err(|e| format!("cannot write {allow}: {e}"))?;
        // Otherwise a connection starts with the metrics of an earlier one.
        let _ = std::fs::write("/proc/sys/net/ipv4/tcp_no_metrics_save", "1");
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || forward(device, &shared));
        Ok(Self { state })
    }

    /// Sets the round-trip time of packets from now on.
    pub fn set_round_trip(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).expect("a short time");
        self.state.round_trip.store(time, Ordering::Relaxed);
    }

    /// Returns the traffic so far.
    pub fn traffic(&self) -> Traffic {
        let State { sent, received, .. } = &*self.state;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Traffic {
            bytes_sent: of(&sent.bytes),
            bytes_received: of(&received.bytes),
            packets: of(&sent.packets) + of(&received.packets),
        }
    }
}

impl Traffic {
    /// Returns the difference to an earlier value.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            bytes_sent: self.bytes_sent - earlier.bytes_sent,
            bytes_received: self.bytes_received - earlier.bytes_received,
            packets: self.packets - earlier.packets,
        }
    }
}

/// Opens the device, which exists until it is closed.
fn open() -> std::io::Result<File> {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    // SAFETY: an ifreq of zeroes is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (target, byte) in request.ifr_name.iter_mut().zip(DEVICE.bytes()) {
        *target = libc::c_char::try_from(byte).expect("ASCII");
    }
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI).expect("flags of 16 bits");
    // SAFETY: TUNSETIFF reads an ifreq, which is valid for the duration of the call.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw const request) };
    if result == 0 {
        Ok(device)
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// Forwards packets in the order of their arrival, each after its delay, until the process ends.
fn forward(mut device: File, state: &State) {
    // SAFETY: sets the timer slack of this thread to a nanosecond; the default of 50 µs would add to each
    // delay.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let mut queue: VecDeque<Packet> = VecDeque::new();
    // Larger than the TUN device's MTU of 1500.
    let mut buffer = [0; 2048];
    loop {
        let timeout = queue.front().map(|packet| {
            let delay = packet.due.saturating_duration_since(Instant::now());
            Timespec::try_from(delay).expect("a short time")
        });
        let mut wanted = [PollFd::new(&device, PollFlags::IN)];
        let _ = poll(&mut wanted, timeout.as_ref());
        loop {
            let size = match device.read(&mut buffer) {
                Ok(size) => size,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => panic!("the TUN device failed: {e}"),
            };
            let half = Duration::from_nanos(state.round_trip.load(Ordering::Relaxed) / 2);
            let mut bytes = buffer[..size].to_vec();
            if readdress(&mut bytes, state) {
                let due = Instant::now() + half;
                queue.push_back(Packet { due, bytes });
            }
        }
        while queue
            .front()
            .is_some_and(|packet| packet.due <= Instant::now())
        {
            if let Some(packet) = queue.pop_front() {
                // A packet that the kernel does not accept is lost, as on a real network.
                let _ = device.write(&packet.bytes);
            }
        }
    }
}

/// Replaces both addresses of a packet and counts it; returns false for a packet that is not forwarded.
/// Only IPv4 uses this route.
fn readdress(packet: &mut [u8], state: &State) -> bool {
    if packet.len() < 20 || packet[0] >> 4 != 4 || packet[16..20] != FAR_BYTES {
        return false;
    }
    let (direction, to) = if packet[12..16] == LOOPBACK {
        (&state.received, NEAR)
    } else {
        (&state.sent, LOOPBACK)
    };
    packet[12..16].copy_from_slice(&FAR_BYTES);
    packet[16..20].copy_from_slice(&to);
    let size = u64::try_from(packet.len()).expect("a size");
    direction.bytes.fetch_add(size, Ordering::Relaxed);
    direction.packets.fetch_add(1, Ordering::Relaxed);
    true
}
