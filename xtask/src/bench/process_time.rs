//! Processor time of other processes.

use std::fs;

/// Linux counts in hundredths of a second wherever it tells user space about time.
const MICROS_PER_TICK: u64 = 10_000;

/// What the process `pid` has used so far, user and system time of all its threads, in microseconds.
///
/// `None` where the system has no `/proc`, or the process is gone.
pub(super) fn micros(pid: u32) -> Option<u64> {
    sum(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?, OWN)
}

/// The same for all processes that this program has started and that have ended.
pub(super) fn of_children() -> Option<u64> {
    sum(&fs::read_to_string("/proc/self/stat").ok()?, CHILDREN)
}

/// Where the times of a process begin, counted from the field after its name, and those of its ended children.
const OWN: usize = 11;
const CHILDREN: usize = 13;

fn sum(stat: &str, first: usize) -> Option<u64> {
    // The name in parentheses may itself hold parentheses and spaces, so fields count from the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(first);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * MICROS_PER_TICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added_up_whatever_the_name_of_the_process() {
        let stat = "4711 (a) b (c) S 1 4711 4711 0 -1 4194560 1500 0 0 0 250 40 7 9 20 0 9 0 100";
        assert_eq!(sum(stat, OWN), Some(2_900_000));
        assert_eq!(sum(stat, CHILDREN), Some(160_000));
        assert_eq!(sum("nonsense", OWN), None);
    }
}
