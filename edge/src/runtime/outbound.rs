//! Headers of an upstream's response that end at the edge, and those that the edge adds.
//!
//! Invariant: what a route adds crosses over to JavaScript once, not for each response, and is applied there in one call;
//! a header is looked for by its name, since listing all of them costs more than every look together.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;

use super::host;
use crate::answer_rules::{AnswerRules, HOP_BY_HOP, STRICT_TRANSPORT_SECURITY};
use crate::config::Config;
use crate::cors::{Cors, NOT_THE_UPSTREAMS};
use crate::policy::Route;

thread_local! {
    /// What each route adds, by its number; see `additions` in `platform.js`.
    static ADDITIONS: RefCell<Vec<JsValue>> = const { RefCell::new(Vec::new()) };
}

/// What `rules` depend on in a request.
pub(super) struct Audience {
    /// The origin of the page that asks, where it may read the answer.
    pub(super) origin: Option<String>,
    pub(super) is_secure: bool,
}

impl Audience {
    /// `origin` is that of the page; it is asked for only where something depends on it.
    pub(super) fn of(cors: Option<&Cors>, url: &str, origin: impl FnOnce() -> Option<String>) -> Self {
        Self {
            origin: cors.and_then(|cors| origin().filter(|origin| cors.allows(origin))),
            is_secure: is_secure(url),
        }
    }
}

/// Whether a request came by https.
pub(super) fn is_secure(url: &str) -> bool {
    url.starts_with("https:")
}

/// The rules for answers to requests that took the route of this number; those of no route where there is none.
pub(super) fn rules_of(config: &Config, route: usize) -> &Rc<AnswerRules> {
    let mut routes = config.policy.routes();
    routes
        .find(|candidate| candidate.number == route)
        .map_or(&config.policy.answers, |route| &route.answers)
}

/// What the responses of `route` lose and get.
pub(super) fn additions_of(route: &Route) -> JsValue {
    ADDITIONS.with_borrow_mut(|known| {
        if known.len() <= route.number {
            known.resize(route.number.saturating_add(1), JsValue::UNDEFINED);
        }
        let Some(place) = known.get_mut(route.number) else {
            return JsValue::UNDEFINED;
        };
        if place.is_undefined() {
            *place = additions(&route.answers);
        }
        place.clone()
    })
}

fn additions(rules: &AnswerRules) -> JsValue {
    let texts = |is_wanted: fn(&str) -> bool| {
        let headers = rules.headers.over(true).filter(|(name, _)| is_wanted(name));
        let texts: Vec<&str> = headers.flat_map(|(name, value)| [name, value]).collect();
        texts.join("\n")
    };
    let cors = rules.cors.as_ref();
    host::HANDED.with(|handed| {
        host::additions(
            &HOP_BY_HOP.join(","),
            &texts(|name| name != STRICT_TRANSPORT_SECURITY),
            &texts(|name| name == STRICT_TRANSPORT_SECURITY),
            &NOT_THE_UPSTREAMS.join(","),
            cors.map(|cors| cors.exposed.as_str()),
            cors.is_some_and(|cors| cors.credentials),
            &handed.named_by(),
        )
    })
}
