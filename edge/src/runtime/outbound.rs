//! Headers of an upstream's response that end at the edge, and those that the edge adds.
//!
//! Invariant: what a route adds is turned into texts of JavaScript once, not for each response; a header is looked for
//! by its name, since listing all of them costs more than every look together.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::JsString;
use wasm_bindgen::{JsCast as _, JsValue};

use super::host::HeaderTexts;
use super::isolate::Isolate;
use crate::answer_rules::{AnswerRules, HOP_BY_HOP, STRICT_TRANSPORT_SECURITY, named_by};
use crate::config::Config;
use crate::cors::{Cors, NOT_THE_UPSTREAMS};

thread_local! {
    static NAMES: Names = Names::new();
    /// What each route adds, by its number.
    static ADDITIONS: RefCell<Vec<Option<Rc<Additions>>>> = const { RefCell::new(Vec::new()) };
}

/// The names of headers that are looked at in each response.
struct Names {
    connection: JsString,
    hop_by_hop: [JsString; HOP_BY_HOP.len()],
    not_the_upstreams: [JsString; NOT_THE_UPSTREAMS.len()],
    vary: JsString,
    origin: JsString,
    allow_origin: JsString,
    allow_credentials: JsString,
    expose_headers: JsString,
    yes: JsString,
}

impl Names {
    fn new() -> Self {
        Self {
            connection: "connection".into(),
            hop_by_hop: HOP_BY_HOP.map(JsString::from),
            not_the_upstreams: NOT_THE_UPSTREAMS.map(JsString::from),
            vary: "vary".into(),
            origin: "Origin".into(),
            allow_origin: "access-control-allow-origin".into(),
            allow_credentials: "access-control-allow-credentials".into(),
            expose_headers: "access-control-expose-headers".into(),
            yes: "true".into(),
        }
    }
}

/// What a route adds to responses, on the JavaScript side.
struct Additions {
    /// Names and values.
    headers: Vec<(JsString, JsString)>,
    over_https: Vec<(JsString, JsString)>,
    cors: Option<Sharing>,
}

/// What the answer says to a page of another origin.
struct Sharing {
    exposed: JsString,
    credentials: bool,
}

impl Additions {
    fn of(rules: &AnswerRules) -> Self {
        let texts = |is_wanted: fn(&str) -> bool| {
            let headers = rules.headers.over(true).filter(|(name, _)| is_wanted(name));
            headers
                .map(|(name, value)| (JsString::from(name), JsString::from(value)))
                .collect()
        };
        Self {
            headers: texts(|name| name != STRICT_TRANSPORT_SECURITY),
            over_https: texts(|name| name == STRICT_TRANSPORT_SECURITY),
            cors: rules.cors.as_ref().map(|cors| Sharing {
                exposed: JsString::from(cors.exposed.as_str()),
                credentials: cors.credentials,
            }),
        }
    }
}

/// What `rules` depend on in a request.
pub(super) struct Audience {
    /// The origin of the page that asks, where it may read the answer; else `undefined`.
    pub(super) origin: JsValue,
    pub(super) is_secure: bool,
}

impl Audience {
    /// `origin` is that of the page; it is asked for only where something depends on it.
    pub(super) fn of(cors: Option<&Cors>, url: &str, origin: impl FnOnce() -> Option<String>) -> Self {
        let allowed = cors.and_then(|cors| origin().filter(|origin| cors.allows(origin)));
        Self {
            origin: allowed.map_or(JsValue::UNDEFINED, JsValue::from),
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

/// Takes out of an upstream's response what ends here, and adds what the route of this number adds.
pub(super) fn finish(headers: &HeaderTexts, route: usize, audience: &Audience) -> Result<(), JsValue> {
    let Some(additions) = additions_of(route) else {
        return Ok(());
    };
    NAMES.with(|names| {
        end_hop(headers, names)?;
        let over_https = audience.is_secure.then_some(&additions.over_https);
        for (name, value) in additions.headers.iter().chain(over_https.into_iter().flatten()) {
            if !headers.has(name) {
                headers.set(name, value)?;
            }
        }
        match &additions.cors {
            Some(sharing) => share(headers, names, sharing, &audience.origin),
            None => Ok(()),
        }
    })
}

fn end_hop(headers: &HeaderTexts, names: &Names) -> Result<(), JsValue> {
    if let Some(connection) = headers.get(&names.connection)? {
        for name in named_by(&connection) {
            headers.remove(&JsString::from(name))?;
        }
    }
    names.hop_by_hop.iter().try_for_each(|name| headers.remove(name))
}

fn share(headers: &HeaderTexts, names: &Names, sharing: &Sharing, origin: &JsValue) -> Result<(), JsValue> {
    for name in &names.not_the_upstreams {
        headers.remove(name)?;
    }
    headers.append(&names.vary, &names.origin)?;
    if origin.is_undefined() {
        return Ok(());
    }
    headers.set(&names.allow_origin, origin.unchecked_ref())?;
    headers.set(&names.expose_headers, &sharing.exposed)?;
    if sharing.credentials {
        headers.set(&names.allow_credentials, &names.yes)?;
    }
    Ok(())
}

fn additions_of(route: usize) -> Option<Rc<Additions>> {
    ADDITIONS.with_borrow_mut(|known| {
        if known.len() <= route {
            known.resize(route.saturating_add(1), None);
        }
        let place = known.get_mut(route)?;
        if place.is_none() {
            let config = Isolate::current().known_config()?;
            *place = Some(Rc::new(Additions::of(rules_of(&config, route))));
        }
        place.clone()
    })
}
