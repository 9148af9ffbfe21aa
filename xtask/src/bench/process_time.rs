//! Processor time and memory of other processes.

use std::fs;

/// Linux counts in hundredths of a second wherever it tells user space about time.
const MICROS_PER_TICK: u64 = 10_000;

/// What the processes of the group that `leader` leads have used so far, user and system time of all their threads,
/// in microseconds. Every service leads a group of its own.
///
/// `None` where the system has no `/proc`, or the leader is gone.
pub(super) fn of_group(leader: u32) -> Option<u64> {
    fs::metadata(format!("/proc/{leader}")).ok()?;
    let stats = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let is_process = entry.file_name().to_str()?.parse::<u32>().is_ok();
        is_process.then(|| fs::read_to_string(entry.path().join("stat")).ok())?
    });
    Some(
        stats
            .filter(|stat| field(stat, GROUP) == Some(leader.into()))
            .filter_map(|stat| sum(&stat, OWN))
            .sum(),
    )
}

/// Memory of the process `pid` that lies in RAM (`VmRSS`), in bytes. `None` where the system does not tell.
pub(super) fn resident(pid: u32) -> Option<u64> {
    kibibytes(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:").map(|size| size * 1024)
}

/// The same for the processes called `name` in the group that `leader` leads, together.
pub(super) fn resident_in_group(leader: u32, name: &str) -> Option<u64> {
    let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let called = stat.split_once('(')?.1.rsplit_once(')')?.0;
        (called == name && field(&stat, GROUP) == Some(leader.into())).then_some(pid)
    });
    let sizes: Vec<u64> = pids.filter_map(resident).collect();
    (!sizes.is_empty()).then(|| sizes.iter().sum())
}

/// The same for all processes that this program has started and that have ended.
pub(super) fn of_children() -> Option<u64> {
    sum(&fs::read_to_string("/proc/self/stat").ok()?, CHILDREN)
}

/// Where the group of a process is, counted from the field after its name; where its times begin; and where those of
/// its ended children do.
const GROUP: usize = 2;
const OWN: usize = 11;
const CHILDREN: usize = 13;

fn field(stat: &str, place: usize) -> Option<u64> {
    // The name in parentheses may itself hold parentheses and spaces, so fields count from the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    fields.nth(place)?.parse().ok()
}

fn sum(stat: &str, first: usize) -> Option<u64> {
    Some((field(stat, first)? + field(stat, first + 1)?) * MICROS_PER_TICK)
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added_up_whatever_the_name_of_the_process() {
        let stat = "4711 (a) b (c) S 1 4711 4711 0 -1 4194560 1500 0 0 0 250 40 7 9 20 0 9 0 100";
        assert_eq!(sum(stat, OWN), Some(2_900_000));
        assert_eq!(sum(stat, CHILDREN), Some(160_000));
        assert_eq!(field(stat, GROUP), Some(4711));
        assert_eq!(sum("nonsense", OWN), None);
    }

    #[test]
    fn resident_memory_is_told_in_kibibytes() {
        let status = "Name:\tx\nVmHWM:\t  999 kB\nVmRSS:\t  123 kB\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(123));
        assert_eq!(kibibytes(status, "VmSwap:"), None);
    }

    #[test]
    fn a_group_whose_leader_is_gone_has_no_time() {
        assert_eq!(of_group(u32::MAX), None);
    }
}
