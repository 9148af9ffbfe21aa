//! Process groups: signalling one, and waiting until it is empty.

use std::{
    fs,
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{self, Signal},
    unistd::Pid,
};

/// How often a wait looks again.
pub const PACE: Duration = Duration::from_millis(20);

/// What survives the end of its leader gets this long before it is killed.
const ORPHAN_GRACE: Duration = Duration::from_secs(2);

fn as_pid(leader: u32) -> Option<Pid> {
    // 0 and 1 would address this program's own group, or everything.
    i32::try_from(leader)
        .ok()
        .filter(|pid| *pid > 1)
        .map(Pid::from_raw)
}

/// Sends `signal` to the group of `leader`; a group that is gone is fine.
pub fn send(leader: u32, signal: Signal) {
    if let Some(pid) = as_pid(leader) {
        let _ = signal::killpg(pid, signal);
    }
}

/// Whether any process of the group of `leader` lives.
#[must_use]
pub fn exists(leader: u32) -> bool {
    as_pid(leader).is_some_and(|pid| signal::killpg(pid, None) != Err(Errno::ESRCH))
        && has_living_member(leader)
}

/// Whether a group that the system knows has a member that is more than an entry nobody has waited for. Orphans stay
/// such entries for ever in a container whose first process does not wait for them.
fn has_living_member(leader: u32) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return true;
    };
    let mut stats = processes
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .peekable();
    if stats.peek().is_none() {
        return true;
    }
    stats.any(|stat| {
        // After the name in parentheses: state, parent, process group.
        let mut fields = stat
            .rsplit_once(')')
            .map_or("", |(_, rest)| rest)
            .split_whitespace();
        let dead = matches!(fields.next(), Some("Z" | "X") | None);
        !dead && fields.nth(1).and_then(|group| group.parse().ok()) == Some(leader)
    })
}

/// Waits until the group of `leader` is empty, and kills what is left of it after `grace`.
pub fn await_end(leader: u32, grace: Duration) {
    let asked = Instant::now();
    while exists(leader) && asked.elapsed() < grace {
        thread::sleep(PACE);
    }
    if exists(leader) {
        send(leader, Signal::SIGKILL);
        let killed = Instant::now();
        while exists(leader) && killed.elapsed() < ORPHAN_GRACE {
            thread::sleep(PACE);
        }
    }
}

/// Waits for `child` to follow a signal it has been sent, kills its group after `grace`, and leaves nothing of it.
pub fn reap(child: &mut Child, grace: Duration) -> Option<ExitStatus> {
    let leader = child.id();
    let asked = Instant::now();
    let mut status = None;
    while status.is_none() && asked.elapsed() < grace {
        status = child.try_wait().ok().flatten();
        if status.is_none() {
            thread::sleep(PACE);
        }
    }
    if status.is_none() {
        send(leader, Signal::SIGKILL);
        status = child.wait().ok();
    }
    await_end(leader, ORPHAN_GRACE);
    status
}
