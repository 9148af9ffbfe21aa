//! Asking the keepers of limits, and telling the client what they said.

use js_sys::{Array, Promise, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::inbound::Inbound;
use super::isolate::Isolate;
use super::{exact, host};
use crate::config::Config;
use crate::policy::{EXACT_LIMITS, Keeper, Limit, Policy, Route};
use crate::tally::{Count, Question};

/// How long the object that keeps an exact limit may take, in milliseconds.
const EXACT_TIMEOUT_MILLISECONDS: f64 = 100.0;
/// How often it is told that a keeper does not answer, in seconds.
const FAULT_PAUSE_SECONDS: i64 = 60;

#[wasm_bindgen(module = "/src/runtime/limits.js")]
extern "C" {
    #[wasm_bindgen(js_name = askLimiter)]
    fn ask_limiter(limiter: &JsValue, key: &str) -> Promise;

    #[wasm_bindgen(js_name = askObject)]
    fn ask_object(
        namespace: &JsValue,
        name: &str,
        limit: u32,
        window_seconds: u32,
        milliseconds: f64,
    ) -> Promise;

    #[wasm_bindgen(catch, js_name = announce)]
    fn add(response: &JsValue, policy: &str, count: Option<&str>) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = announceLater)]
    fn add_later(response: &JsValue, policy: &str, count: Option<&str>) -> JsValue;
}

/// The bindings that keep the limits of the policy.
#[derive(Debug)]
pub(super) struct Keepers {
    limiters: Vec<(String, JsValue)>,
    exact: Option<JsValue>,
}

impl Keepers {
    /// Those of an environment that has them.
    pub(super) fn of(policy: &Policy, environment: &JsValue) -> Self {
        let limiters = policy.limits().filter_map(|limit| match &limit.keeper {
            Keeper::Binding(name) => Some((name.clone(), binding(environment, name)?)),
            Keeper::Exact => None,
        });
        Self {
            limiters: limiters.collect(),
            exact: binding(environment, EXACT_LIMITS),
        }
    }

    fn limiter(&self, name: &str) -> Option<&JsValue> {
        let known = self.limiters.iter().find(|(known, _)| known == name);
        known.map(|(_, limiter)| limiter)
    }
}

/// Whether an environment has what a keeper needs.
pub(super) fn is_bound(environment: &JsValue, keeper: &Keeper) -> bool {
    let (name, method) = match keeper {
        Keeper::Binding(name) => (name.as_str(), "limit"),
        Keeper::Exact => (EXACT_LIMITS, "getByName"),
    };
    binding(environment, name)
        .and_then(|bound| Reflect::get(&bound, &method.into()).ok())
        .is_some_and(|method| method.is_function())
}

fn binding(environment: &JsValue, name: &str) -> Option<JsValue> {
    let bound = Reflect::get(environment, &name.into()).ok()?;
    bound.is_object().then_some(bound)
}

/// Asks the keeper of a limit, and remembers whom it refuses.
pub(super) async fn ask(isolate: &Isolate, config: &Config, question: &Question) -> Count {
    let answer = match asked(isolate, config, question) {
        Some(asked) => JsFuture::from(asked).await,
        None => Err("it is not bound".into()),
    };
    let now = host::seconds();
    let count = answer.and_then(|answer| understood(question, &answer, now).map_err(JsValue::from));
    match count {
        Ok(count) => {
            if let Count::Over { retry_after } = count {
                let mut denials = isolate.denials.borrow_mut();
                denials.deny(&question.key(), retry_after, now);
            }
            count
        }
        Err(cause) => {
            if isolate.may_tell_fault(now, FAULT_PAUSE_SECONDS) {
                let name = &question.limit.name;
                let cause = told(&cause);
                host::log_fault(&format!("The limit {name} cannot be counted: {cause}"));
            }
            Count::Unknown
        }
    }
}

/// A limiter answers on the machine itself, so there is no timer; one for each question would cost as much again.
fn asked(isolate: &Isolate, config: &Config, question: &Question) -> Option<Promise> {
    let keepers = isolate.keepers()?;
    let Limit {
        name, quota, keeper, ..
    } = &*question.limit;
    Some(match keeper {
        Keeper::Binding(binding) => ask_limiter(keepers.limiter(binding)?, &question.key()),
        Keeper::Exact => ask_object(
            keepers.exact.as_ref()?,
            &config.limit_key.name(name, &question.who),
            quota.limit.get(),
            quota.window_seconds.get(),
            EXACT_TIMEOUT_MILLISECONDS,
        ),
    })
}

fn understood(question: &Question, answer: &JsValue, now: i64) -> Result<Count, &'static str> {
    match &question.limit.keeper {
        Keeper::Binding(_) => {
            let is_within = answer.as_bool().ok_or("it answers nonsense")?;
            Ok(Count::of_binding(&question.limit, is_within, now))
        }
        Keeper::Exact if answer.is_undefined() => Err("it does not answer in time"),
        Keeper::Exact => {
            let verdict = answer.dyn_ref::<Array>().and_then(exact::read);
            verdict.map(Count::of_verdict).ok_or("it answers nonsense")
        }
    }
}

/// What an error says of itself.
fn told(error: &JsValue) -> String {
    let message = Reflect::get(error, &"message".into()).ok();
    let message = message.and_then(|message| message.as_string());
    message.or_else(|| error.as_string()).unwrap_or_default()
}

/// Adds what the limits of its route say to a response of the edge's own.
pub(super) fn announce(response: JsValue, route: &Route, inbound: &Inbound) -> JsValue {
    let Some(policy) = route.limits.announcement() else {
        return response;
    };
    let count = inbound.tally.announcement(None);
    // What the platform would not make is no response, and has no headers.
    add(&response, policy, count.as_deref()).unwrap_or(response)
}

/// The same for the promise of a response. Nothing is kept on this side meanwhile.
pub(super) fn announce_later(response: JsValue, route: &Route, inbound: &Inbound) -> JsValue {
    match route.limits.announcement() {
        Some(policy) => add_later(&response, policy, inbound.tally.announcement(None).as_deref()),
        None => response,
    }
}
