//! Work that comes round by the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use graphile_worker::{Crontab, IntoTaskHandlerResult, TaskHandler, WorkerContext, parse_crontab};
use serde::{Deserialize, Serialize};

use crate::kernel::clock::Clock;
use crate::kernel::time::Timestamp;

use super::error::{JobError, JobsError};
use super::task::{Handed, within};

/// How long one run of a duty may take.
const TIME_LIMIT: Duration = Duration::from_mins(5);
/// Duties go before tasks, of which there may be many. Lower is earlier; a task has 0.
const PRIORITY: i16 = -1;
/// Attempts at a run before the next one that is due has to do. The pauses in between add up to an hour.
const ATTEMPTS: u16 = 8;

type Run = dyn Fn(Timestamp) -> BoxFuture<'static, Result<u64, JobError>> + Send + Sync;

/// What is done, and when.
#[derive(Clone)]
pub(super) struct Duty {
    pub(super) name: &'static str,
    pub(super) schedule: &'static str,
    pub(super) run: Arc<Run>,
}

impl Duty {
    /// The entry of the queue's schedule. At most one run of a duty waits in the queue.
    pub(super) fn crontab(&self) -> Result<Crontab, JobsError> {
        let line = format!("{} {}", self.schedule, DueDuty::IDENTIFIER);
        let mut entry = parse_crontab(&line)
            .ok()
            .and_then(|mut entries| entries.pop())
            .ok_or(JobsError::Schedule(self.name))?;
        entry.options.id = Some(self.name.to_owned());
        entry.options.job_key = Some(self.name.to_owned());
        entry.options.priority = Some(PRIORITY);
        entry.options.max = Some(ATTEMPTS);
        entry.payload = Some(serde_json::json!({ "duty": self.name }));
        Ok(entry)
    }
}

/// All duties by name, and the clock they go by: what a worker needs to do one.
pub(super) struct Duties {
    clock: Arc<dyn Clock>,
    by_name: BTreeMap<&'static str, Arc<Run>>,
}

impl Duties {
    pub(super) fn new(clock: Arc<dyn Clock>, duties: &[Duty]) -> Self {
        let by_name = duties.iter().map(|duty| (duty.name, Arc::clone(&duty.run)));
        Self {
            clock,
            by_name: by_name.collect(),
        }
    }
}

/// The payload of a duty that is due. The scheduler adds the moment it was due at, which no duty needs.
#[derive(Deserialize, Serialize)]
pub(super) struct DueDuty {
    duty: String,
}

impl TaskHandler for DueDuty {
    const IDENTIFIER: &'static str = "duty";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let found = context
            .get_ext::<Handed<Duties>>()
            .and_then(|duties| Some((duties.clock.now(), duties.by_name.get(self.duty.as_str())?)));
        let Some((now, run)) = found else {
            // A replica of another release has enqueued it, and may take it the next time.
            return Err(JobError::from("this replica has no such duty"));
        };
        let count = within(TIME_LIMIT, run(now)).await?;
        if count > 0 {
            tracing::info!(duty = self.duty, count, "a duty was done");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duty(schedule: &'static str) -> Duty {
        Duty {
            name: "sweep",
            schedule,
            run: Arc::new(|_| Box::pin(async { Ok(0) })),
        }
    }

    #[test]
    fn a_schedule_is_five_fields_in_utc() {
        let entry = duty("17 */2 * * *").crontab().unwrap();
        let runs_at = |moment: &str| entry.should_run_at(&moment.parse().unwrap());
        assert!(runs_at("2026-11-25T04:17:00"));
        assert!(!runs_at("2026-11-25T05:17:00") && !runs_at("2026-11-25T04:18:00"));
        assert_eq!(entry.identifier(), "sweep");
        assert_eq!(entry.task_identifier, "duty");
    }

    #[test]
    fn what_is_no_schedule_is_refused_by_name() {
        for schedule in ["", "17", "often", "61 * * * *", "* * * * * other"] {
            let refused = duty(schedule).crontab();
            assert!(
                matches!(refused, Err(JobsError::Schedule("sweep"))),
                "{schedule}: {refused:?}"
            );
        }
    }
}
