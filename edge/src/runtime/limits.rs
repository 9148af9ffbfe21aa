//! Asking the keepers of limits, and telling the client what they said.

use js_sys::{Array, JsString, Object, Promise, Reflect};
use portcullis_shared::gcra::Verdict;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, Response};

use super::inbound::Inbound;
use super::isolate::Isolate;
use super::{exact, host};
use crate::config::Config;
use crate::policy::{EXACT_LIMITS, Keeper, Limit, Policy, Route};
use crate::tally::{Count, Question, RATE_LIMIT, RATE_LIMIT_POLICY};

/// How long the object that keeps an exact limit may take, in milliseconds.
const EXACT_TIMEOUT_MILLISECONDS: f64 = 100.0;
/// How often it is told that a keeper does not answer, in seconds.
const FAULT_PAUSE_SECONDS: i64 = 60;

#[wasm_bindgen]
extern "C" {
    /// The platform's rate-limit binding.
    #[derive(Debug)]
    type RateLimiter;

    #[wasm_bindgen(method, catch)]
    fn limit(this: &RateLimiter, options: &Object) -> Result<Promise, JsValue>;

    /// The objects that keep exact limits.
    #[derive(Debug)]
    type Namespace;

    #[wasm_bindgen(method, catch, js_name = getByName)]
    fn get_by_name(this: &Namespace, name: &str) -> Result<ExactLimit, JsValue>;

    /// One of them.
    type ExactLimit;

    #[wasm_bindgen(method, catch)]
    fn take(this: &ExactLimit, limit: u32, window_seconds: u32) -> Result<JsValue, JsValue>;

    /// A function that adds what limits say to a response.
    type Announcer;

    /// The function with what it adds in place.
    #[wasm_bindgen(method, js_name = bind)]
    fn with(this: &Announcer, context: &JsValue, policy: &str, count: Option<&str>) -> Announcer;

    /// The promise of a response.
    type Coming;

    #[wasm_bindgen(method)]
    fn then(this: &Coming, announcer: &Announcer) -> JsValue;
}

thread_local! {
    static ANNOUNCER: Announcer = announcer();
    static KEY: JsString = JsString::from("key");
    static SUCCESS: JsString = JsString::from("success");
}

/// The bindings that keep the limits of the policy.
#[derive(Debug)]
pub(super) struct Keepers {
    limiters: Vec<(String, RateLimiter)>,
    exact: Option<Namespace>,
}

impl Keepers {
    /// Those of an environment that has them.
    pub(super) fn of(policy: &Policy, environment: &JsValue) -> Self {
        let limiters = policy.limits().filter_map(|limit| match &limit.keeper {
            Keeper::Binding(name) => Some((name.clone(), binding(environment, name)?.unchecked_into())),
            Keeper::Exact => None,
        });
        Self {
            limiters: limiters.collect(),
            exact: binding(environment, EXACT_LIMITS).map(JsValue::unchecked_into),
        }
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
    let asked = match &question.limit.keeper {
        Keeper::Binding(name) => ask_limiter(isolate, name, question).await,
        Keeper::Exact => ask_object(isolate, config, question).await,
    };
    let now = host::seconds();
    match asked {
        Ok(count) => {
            if let Count::Over { retry_after } = count {
                isolate
                    .denials
                    .borrow_mut()
                    .deny(&question.key(), retry_after, now);
            }
            count
        }
        Err(cause) => {
            if isolate.may_tell_fault(now, FAULT_PAUSE_SECONDS) {
                let cause = cause.as_string().or_else(|| {
                    let message = Reflect::get(&cause, &"message".into()).ok()?;
                    message.as_string()
                });
                host::log_fault(&format!(
                    "The limit {} cannot be counted: {}",
                    question.limit.name,
                    cause.unwrap_or_default()
                ));
            }
            Count::Unknown
        }
    }
}

/// The platform answers on the machine itself; a timer for each question would cost as much again.
async fn ask_limiter(isolate: &Isolate, name: &str, question: &Question) -> Result<Count, JsValue> {
    let answer = {
        let limiter = isolate.keepers().and_then(|keepers| {
            let mut limiters = keepers.limiters.iter();
            limiters.find(|(known, _)| known == name)
        });
        let (_, limiter) = limiter.ok_or("it is not bound")?;
        let options = Object::new();
        KEY.with(|key| Reflect::set(&options, key, &question.key().into()))?;
        limiter.limit(&options)?
    };
    let answer = JsFuture::from(answer).await?;
    let is_within = SUCCESS.with(|success| Reflect::get(&answer, success))?;
    Ok(Count::of_binding(
        &question.limit,
        is_within.is_truthy(),
        host::seconds(),
    ))
}

async fn ask_object(isolate: &Isolate, config: &Config, question: &Question) -> Result<Count, JsValue> {
    let Limit { name, quota, .. } = &*question.limit;
    let (outcome, timer) = {
        let keepers = isolate.keepers();
        let namespace = keepers.and_then(|keepers| keepers.exact.as_ref());
        let namespace = namespace.ok_or("it is not bound")?;
        let object = namespace.get_by_name(&config.limit_key.name(name, &question.who))?;
        let asked = object.take(quota.limit.get(), quota.window_seconds.get())?;
        host::within(&asked, EXACT_TIMEOUT_MILLISECONDS)
    };
    let answer = JsFuture::from(outcome).await;
    host::clear_timeout(&timer);
    let answer = answer?;
    if answer.is_undefined() {
        return Err("its object did not answer in time".into());
    }
    let verdict: Option<Verdict> = exact::read(&Array::from(&answer));
    Ok(Count::of_verdict(verdict.ok_or("its object answered nonsense")?))
}

/// A response that the edge gives itself, with what the limits of its route say.
pub(super) fn announce(response: JsValue, route: &Route, inbound: &Inbound) -> JsValue {
    if let (Some(policy), Some(own)) = (route.limits.announcement(), response.dyn_ref::<Response>()) {
        // Headers that are text can be set.
        let _set = add(
            &own.headers(),
            policy,
            inbound.tally.announcement(None).as_deref(),
        );
    }
    response
}

/// The same for the promise of a response. Nothing is kept on this side meanwhile.
pub(super) fn announce_later(coming: JsValue, route: &Route, inbound: &Inbound) -> JsValue {
    let Some(policy) = route.limits.announcement() else {
        return coming;
    };
    let count = inbound.tally.announcement(None);
    ANNOUNCER.with(|announcer| {
        let announcer = announcer.with(&JsValue::UNDEFINED, policy, count.as_deref());
        coming.unchecked_ref::<Coming>().then(&announcer)
    })
}

fn announcer() -> Announcer {
    let announce = |policy: String, count: Option<String>, response: JsValue| {
        // What could not become a response is the platform's to tell.
        if let Some(response) = response.dyn_ref::<Response>() {
            let _set = add(&response.headers(), &policy, count.as_deref());
        }
        response
    };
    Closure::<dyn Fn(String, Option<String>, JsValue) -> JsValue>::new(announce)
        .into_js_value()
        .unchecked_into()
}

/// Adds to what the upstream says of limits of its own: each of the two fields is a list.
fn add(headers: &Headers, policy: &str, count: Option<&str>) -> Result<(), JsValue> {
    headers.append(RATE_LIMIT_POLICY, policy)?;
    count.map_or(Ok(()), |count| headers.append(RATE_LIMIT, count))
}
