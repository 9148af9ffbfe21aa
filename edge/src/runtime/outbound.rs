//! Headers of an upstream's response that end at the edge, and those that the edge adds.
//!
//! Invariant: what a route adds is turned into texts of JavaScript once, not for each response; a header is looked for
//! by its name, since listing all of them costs more than every look together.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, JsString};
use portcullis_shared::identity;
use wasm_bindgen::{JsCast as _, JsValue};

use super::host::{self, HeaderTexts};
use super::isolate::Isolate;
use crate::answer_rules::{AnswerRules, HOP_BY_HOP, named_by};
use crate::config::Config;
use crate::cors::{Cors, NOT_THE_UPSTREAMS};

thread_local! {
    static NAMES: Names = Names::new();
    /// What becomes of the responses of each route, by its number.
    static FINISHES: RefCell<Vec<Option<Rc<Finish>>>> = const { RefCell::new(Vec::new()) };
}

/// The names of headers that are looked at or set in a response.
struct Names {
    connection: JsString,
    request_id: JsString,
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
            request_id: identity::REQUEST_ID.into(),
            vary: "vary".into(),
            origin: "Origin".into(),
            allow_origin: "access-control-allow-origin".into(),
            allow_credentials: "access-control-allow-credentials".into(),
            expose_headers: "access-control-expose-headers".into(),
            yes: "true".into(),
        }
    }
}

/// What becomes of a route's responses, on the JavaScript side.
struct Finish {
    /// The names of headers that end here.
    ended: Array,
    /// Names and values in turn of headers that are set where there is none of the name.
    missing: Array,
    /// The same over https.
    missing_over_https: Array,
    sharing: Option<Sharing>,
}

/// What a response says to a page of another origin.
struct Sharing {
    exposed: JsString,
    credentials: bool,
}

impl Finish {
    fn by(rules: &AnswerRules) -> Self {
        let not_the_upstreams: &[&str] = if rules.cors.is_some() {
            &NOT_THE_UPSTREAMS
        } else {
            &[]
        };
        let ended = HOP_BY_HOP.iter().chain(not_the_upstreams);
        let missing = |is_secure| {
            let headers = rules.headers.over(is_secure);
            headers
                .flat_map(|(name, value)| [JsValue::from(name), value.into()])
                .collect()
        };
        Self {
            ended: ended.map(|name| JsValue::from(*name)).collect(),
            missing: missing(false),
            missing_over_https: missing(true),
            sharing: rules.cors.as_ref().map(|cors| Sharing {
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

/// Takes out of an upstream's response what ends here, and adds what the route of this number adds. It has its request's
/// id by then.
pub(super) fn finish(
    headers: &HeaderTexts,
    route: usize,
    request_id: &JsString,
    audience: &Audience,
) -> Result<(), JsValue> {
    let Some(finish) = finish_of(route) else {
        return Ok(());
    };
    NAMES.with(|names| {
        if let Some(connection) = headers.get(&names.connection)? {
            end_what_is_named(headers, names, &connection, request_id)?;
        }
        let missing = if audience.is_secure {
            &finish.missing_over_https
        } else {
            &finish.missing
        };
        host::complete(headers, &finish.ended, missing)?;
        match &finish.sharing {
            Some(sharing) => share(headers, names, sharing, &audience.origin),
            None => Ok(()),
        }
    })
}

fn end_what_is_named(
    headers: &HeaderTexts,
    names: &Names,
    connection: &str,
    request_id: &JsString,
) -> Result<(), JsValue> {
    let mut is_changed = false;
    for name in named_by(connection) {
        headers.remove(&JsString::from(name))?;
        is_changed = true;
    }
    if is_changed {
        // It may have been among them.
        headers.set(&names.request_id, request_id)?;
    }
    Ok(())
}

fn share(headers: &HeaderTexts, names: &Names, sharing: &Sharing, origin: &JsValue) -> Result<(), JsValue> {
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

fn finish_of(route: usize) -> Option<Rc<Finish>> {
    FINISHES.with_borrow_mut(|known| {
        if known.len() <= route {
            known.resize(route.saturating_add(1), None);
        }
        let place = known.get_mut(route)?;
        if place.is_none() {
            let config = Isolate::current().known_config()?;
            *place = Some(Rc::new(Finish::by(rules_of(&config, route))));
        }
        place.clone()
    })
}
