//! Telling what became of a request: the log, the counters, and `Server-Timing`.
//!
//! Invariants: nothing here fails a request; where nobody wants to be told, nothing is done but to find that out.

use std::cell::OnceCell;

use js_sys::{JSON, JsString, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::Response;

use super::SharedIdentity;
use super::host::{self, Kept};
use super::inbound::Inbound;
use super::isolate::Isolate;
use crate::config::{Config, Watch};
use crate::counters;
use crate::decide::{Pass, Preflight, Refusal, RequestView as _, TokenVerdict};
use crate::log::{Entry, PASS, PREFLIGHT, SHADOW, Upstream};
use crate::policy::{Destination, Route};
use crate::server_timing;
use crate::trace::{Round, Trace, Verdict};

/// The binding that counts, in `wrangler.toml`.
const ANALYTICS: &str = "ANALYTICS";

#[wasm_bindgen]
extern "C" {
    /// A dataset of Workers Analytics Engine.
    type Dataset;

    /// Hands a data point over. The platform sends it when it likes.
    #[wasm_bindgen(method, catch, js_name = writeDataPoint)]
    fn write(this: &Dataset, point: &JsValue) -> Result<JsValue, JsValue>;
}

thread_local! {
    static DATASET: OnceCell<Dataset> = const { OnceCell::new() };
}

/// Finds the binding that counts, and says which routes let everybody pass.
pub(super) fn begin(environment: &JsValue, config: &Config) {
    let binding = Reflect::get(environment, &JsValue::from_str(ANALYTICS)).ok();
    if let Some(binding) = binding.filter(JsValue::is_object) {
        // An isolate reads its configuration once, so this is the first.
        let _first = DATASET.with(|dataset| dataset.set(binding.unchecked_into()));
    }
    let routes: Vec<&str> = config
        .policy
        .shadow_routes()
        .map(|route| route.path.as_str())
        .collect();
    if !routes.is_empty() {
        host::log_line(&serde_json::json!({ "event": "shadow_routes", "routes": routes }).to_string());
    }
}

impl Inbound {
    /// Passes a verdict on, and remembers how it was come by.
    pub(super) fn noting(
        &self,
        how: Verdict,
        verdict: TokenVerdict<SharedIdentity>,
    ) -> TokenVerdict<SharedIdentity> {
        match verdict {
            TokenVerdict::Verified(_) | TokenVerdict::Refused(_) => self.verdict.set(how),
            TokenVerdict::Unknown | TokenVerdict::NoKeys { .. } => {}
        }
        verdict
    }

    /// Remembers what is waited for.
    pub(super) fn waits_for(&mut self, round: Round) {
        self.rounds = self.rounds.and(round);
    }

    /// What was done for it up to `moment`, in milliseconds since the epoch; `stale` as in [`Pass::stale`].
    pub(super) fn trace(&self, moment: f64, stale: Option<i64>) -> Trace {
        Trace::of(self.method())
            .after(self.verdict.get(), self.rounds)
            .decided(moment - self.began, stale)
    }
}

/// Tells of a refusal; the result is the value of the answer's `Server-Timing`, where it is to have one.
pub(super) fn refused(inbound: &Inbound, refusal: &Refusal, watch: Watch) -> Option<String> {
    let outcome = Outcome {
        route: refusal.route.as_deref(),
        passed: PASS,
        failure: Some(refusal),
        shadow: None,
        status: refusal.code.status(),
    };
    answered_here(inbound, watch, None, &outcome)
}

/// Tells a proxy's question apart from a refusal; the result is as for [`refused`].
pub(super) fn permitted(
    inbound: &Inbound,
    pass: &Pass<'_, SharedIdentity>,
    status: u16,
    watch: Watch,
) -> Option<String> {
    let shadow = pass.shadow.as_ref();
    let outcome = Outcome {
        route: Some(&pass.route),
        passed: PASS,
        failure: None,
        shadow: shadow.map(|refusal| (refusal.code.as_str(), refusal.reason.as_str())),
        status,
    };
    answered_here(inbound, watch, pass.stale, &outcome)
}

/// Tells of what a browser asked beforehand; the result is as for [`refused`].
pub(super) fn asked_beforehand(
    inbound: &Inbound,
    preflight: &Preflight,
    status: u16,
    watch: Watch,
) -> Option<String> {
    let outcome = Outcome {
        route: Some(&preflight.route),
        passed: PREFLIGHT,
        failure: preflight.outcome.as_ref().err(),
        shadow: None,
        status,
    };
    answered_here(inbound, watch, None, &outcome)
}

/// Tells of an upstream's response, and adds `Server-Timing` to it where it is to have one.
pub(super) fn passed_on(kept: &Kept, response: &Response) {
    if let Some(timing) = ended(kept, None, response.status()) {
        // A response that does not take it goes out without.
        let _not_added = response.headers().append(server_timing::NAME, &timing);
    }
}

/// Tells that an upstream failed; the result is as for [`refused`].
pub(super) fn failed(kept: &Kept, refusal: &Refusal) -> Option<String> {
    ended(kept, Some(refusal), refusal.code.status())
}

/// What a route in shadow would have refused a request for, as the JavaScript side keeps it; `undefined` for nothing.
pub(super) fn shadow_text(pass: &Pass<'_, SharedIdentity>) -> JsValue {
    let shadow = pass.shadow.as_ref();
    shadow.map_or(JsValue::UNDEFINED, |refusal| {
        JsString::from(format!("{} {}", refusal.code.as_str(), refusal.reason)).into()
    })
}

/// What became of a request.
struct Outcome<'o> {
    route: Option<&'o Route>,
    /// The decision where it was not refused.
    passed: &'static str,
    failure: Option<&'o Refusal>,
    /// Code and reason.
    shadow: Option<(&'o str, &'o str)>,
    status: u16,
}

impl<'o> Outcome<'o> {
    const fn is_remarkable(&self) -> bool {
        self.failure.is_some() || self.shadow.is_some()
    }

    fn entry(&self, request_id: &'o str, trace: Trace, upstream: Option<Upstream<'o>>) -> Entry<'o> {
        let (would_be, spared) = self.shadow.unzip();
        let decision = self.failure.map(|refusal| refusal.code.as_str());
        Entry {
            request_id,
            trace,
            route: self.route.map(|route| route.path.as_str()),
            decision: decision.unwrap_or(if would_be.is_some() { SHADOW } else { self.passed }),
            would_be,
            reason: self.failure.map(|refusal| refusal.reason.as_str()).or(spared),
            status: self.status,
            upstream,
        }
    }
}

fn answered_here(
    inbound: &Inbound,
    watch: Watch,
    stale: Option<i64>,
    outcome: &Outcome<'_>,
) -> Option<String> {
    let is_told = is_told(watch, outcome);
    if !is_told && !watch.server_timing {
        return None;
    }
    let trace = inbound.trace(host::now(), stale);
    if is_told {
        tell(watch, &outcome.entry(&inbound.request_id, trace, None));
    }
    watch
        .server_timing
        .then(|| server_timing::value(trace.edge_ms, None))
}

fn ended(kept: &Kept, failure: Option<&Refusal>, status: u16) -> Option<String> {
    let config = Isolate::current().known_config()?;
    let watch = config.watch();
    let shadow = kept.shadow();
    let mut outcome = Outcome {
        route: None,
        passed: PASS,
        failure,
        shadow: shadow.as_deref().and_then(|text| text.split_once(' ')),
        status,
    };
    let is_told = is_told(watch, &outcome);
    if !is_told && !watch.server_timing {
        return None;
    }
    let trace = Trace::of_number(kept.trace());
    let ms = (host::now() - kept.began() - f64::from(trace.edge_ms)).max(0.0);
    let mut routes = config.policy.routes();
    outcome.route = routes
        .find(|route| route.number == trace.route())
        .map(std::rc::Rc::as_ref);
    let upstream = outcome.route.and_then(|route| match &route.destination {
        Destination::Upstream(name) => Some(Upstream { name, ms }),
        Destination::ForwardAuth => None,
    });
    if is_told {
        let request_id = kept.request_id();
        tell(watch, &outcome.entry(&request_id, trace, upstream));
    }
    watch
        .server_timing
        .then(|| server_timing::value(trace.edge_ms, upstream))
}

fn is_told(watch: Watch, outcome: &Outcome<'_>) -> bool {
    watch.log.covers(outcome.is_remarkable()) || DATASET.with(|dataset| dataset.get().is_some())
}

fn tell(watch: Watch, entry: &Entry<'_>) {
    if watch.log.covers(entry.is_remarkable()) {
        host::log_line(&entry.to_json());
    }
    DATASET.with(|dataset| {
        if let Some(dataset) = dataset.get()
            && let Ok(point) = JSON::parse(&counters::point(entry))
        {
            // A request is worth more than its being counted.
            let _not_counted = dataset.write(&point);
        }
    });
}
