//! What the processes of a system use.

use std::fs;
use std::path::PathBuf;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

impl Process {
    /// The processes of this name among those that `leader` has started, itself or through others.
    ///
    /// # Panics
    ///
    /// When there is no `/proc`.
    #[must_use]
    pub fn below(leader: u32, name: &str) -> Vec<Self> {
        let entries = fs::read_dir("/proc").unwrap();
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.map(Self)
            .filter(|process| process.name().as_deref() == Some(name))
            .filter(|process| process.descends_from(leader))
            .collect()
    }

    /// Forgets how much memory it once had, so that [`Self::peak`] counts from now on.
    ///
    /// # Panics
    ///
    /// When it is gone, or somebody else's.
    pub fn forget_peak(self) {
        fs::write(self.file("clear_refs"), "5").unwrap();
    }

    /// The most memory that it has had resident, in bytes.
    ///
    /// # Panics
    ///
    /// When it is gone.
    #[must_use]
    pub fn peak(self) -> u64 {
        let kibibytes = self.field("status", "VmHWM:").expect("a running process");
        let number = kibibytes.split_whitespace().next().unwrap_or_default();
        number.parse::<u64>().expect("a number of KiB") * 1024
    }

    fn name(self) -> Option<String> {
        self.field("status", "Name:")
    }

    fn descends_from(self, leader: u32) -> bool {
        let parent = |process: &Self| process.field("status", "PPid:")?.parse().ok().map(Self);
        std::iter::successors(Some(self), parent).any(|ancestor| ancestor.0 == leader)
    }

    fn field(self, file: &str, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.file(file)).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(value.trim().to_owned())
    }

    fn file(self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.0).into()
    }
}
