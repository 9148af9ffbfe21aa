//! The limits held against what a Worker is bound to.

use std::num::NonZeroU32;
use std::rc::Rc;

use portcullis_shared::gcra::Quota;
use serde_json::Value;

use super::{EXACT_LIMIT_CLASS, EXACT_LIMITS, Keeper, Limit};
use crate::policy::{Mistakes, Policy};

impl Policy {
    /// All limits, in the order of the table.
    pub fn limits(&self) -> impl Iterator<Item = &Rc<Limit>> {
        self.limits.iter()
    }

    /// Reports what the environment of a Worker lacks of what the limits need. `has` says whether it has a binding that
    /// can do what the keeper asks of it.
    pub fn check_keepers(&self, has: impl Fn(&Keeper) -> bool) -> Result<(), Mistakes> {
        let mut mistakes = Mistakes::default();
        for limit in self.limits().filter(|limit| !has(&limit.keeper)) {
            let place = limit.place();
            match &limit.keeper {
                Keeper::Binding(name) => mistakes.add(
                    &place,
                    format_args!("needs {name}, which is bound to no rate limiter"),
                ),
                Keeper::Exact => mistakes.add(
                    &place,
                    format_args!("needs {EXACT_LIMITS}, which is bound to no Durable Object"),
                ),
            }
        }
        mistakes.into_result()
    }

    /// Holds the limits against the bindings of a `wrangler.toml`, or of one of its environments: each `binding` has to
    /// stand in `[[ratelimits]]` with the same limit and period, since it is those that the platform goes by.
    pub fn check_bindings(&self, wrangler: &Value) -> Result<(), Mistakes> {
        let mut mistakes = Mistakes::default();
        for limit in self.limits() {
            let place = limit.place();
            match &limit.keeper {
                Keeper::Binding(name) => {
                    let Quota {
                        limit,
                        window_seconds,
                    } = limit.quota;
                    let entry = entry(wrangler, "/ratelimits", name);
                    let states = |key: &str, value: NonZeroU32| {
                        let stated = entry.and_then(|entry| entry.pointer(key)?.as_u64());
                        stated == Some(value.get().into())
                    };
                    if !states("/simple/limit", limit) || !states("/simple/period", window_seconds) {
                        let wanted = format!("simple = {{ limit = {limit}, period = {window_seconds} }}");
                        mistakes.add(
                            &place,
                            format_args!("needs an entry {name:?} of [[ratelimits]] with {wanted}"),
                        );
                    }
                }
                Keeper::Exact => {
                    let entry = entry(wrangler, "/durable_objects/bindings", EXACT_LIMITS);
                    let class = entry.and_then(|entry| entry.get("class_name"));
                    if class.is_none_or(|class| class != EXACT_LIMIT_CLASS) {
                        mistakes.add(
                            &place,
                            format_args!(
                                "needs an entry {EXACT_LIMITS:?} of [[durable_objects.bindings]] with class_name = {EXACT_LIMIT_CLASS:?}"
                            ),
                        );
                    }
                }
            }
        }
        mistakes.into_result()
    }
}

/// The entry of this name in an array of tables.
fn entry<'w>(wrangler: &'w Value, array: &str, name: &str) -> Option<&'w Value> {
    let entries = wrangler.pointer(array).and_then(Value::as_array)?;
    entries
        .iter()
        .find(|entry| entry.get("name").is_some_and(|found| found == name))
}
