//! Look-up in the table.

use std::rc::Rc;

use super::{Destination, Entry, Found, Methods, Policy, Route};
use crate::path::Target;

impl Policy {
    /// Finds the route for a request.
    #[must_use]
    pub fn find(&self, method: &str, target: &Target<'_>) -> Found<'_> {
        let Some(entry) = self.entry(target.path(), false) else {
            return Found::Nothing;
        };
        let Some(route) = entry.route(method) else {
            return Found::OtherMethods(entry.methods());
        };
        if self.has_second_reading(method, target, entry, route) {
            Found::TwoReadings
        } else {
            Found::Route(route)
        }
    }

    /// The names of all upstreams, each once.
    pub fn upstreams(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<&str> = self
            .routes()
            .filter_map(|route| match &route.destination {
                Destination::Upstream(name) => Some(name.as_str()),
                Destination::ForwardAuth => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter()
    }

    /// All routes, narrower paths before wider ones.
    pub fn routes(&self) -> impl Iterator<Item = &Rc<Route>> {
        self.entries.iter().flat_map(|entry| &entry.routes)
    }

    /// The routes whose path fits, narrower before wider, whatever their methods. Those of the first path decide.
    pub fn candidates(&self, target: &Target<'_>) -> impl Iterator<Item = &Rc<Route>> {
        let fitting = self
            .entries
            .iter()
            .filter(|entry| entry.pattern.matches(target.path(), false));
        fitting.flat_map(|entry| &entry.routes)
    }

    pub(super) fn entry(&self, path: &str, fold: bool) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.pattern.matches(path, fold))
    }

    /// Whether a lenient upstream could take the path for one of another entry, which demands something else of the request, or
    /// does not allow its method.
    fn has_second_reading(&self, method: &str, target: &Target<'_>, entry: &Entry, route: &Route) -> bool {
        let readings = target.lenient_readings();
        let has_capitals = target.path().bytes().any(|byte| byte.is_ascii_uppercase());
        let folded = has_capitals.then(|| target.path());
        readings.iter().map(String::as_str).chain(folded).any(|reading| {
            self.entry(reading, true).is_some_and(|other| {
                !std::ptr::eq(other, entry)
                    && other
                        .route(method)
                        .is_none_or(|other| demands_otherwise(other, route))
            })
        })
    }
}

/// Whether the edge would do something else with a request for the one route than for the other.
fn demands_otherwise(one: &Route, other: &Route) -> bool {
    one.gate != other.gate
        || one.destination != other.destination
        || one.limits != other.limits
        || one.max_body_bytes != other.max_body_bytes
        || one.answers.cors != other.answers.cors
}

impl Entry {
    pub(super) fn route(&self, method: &str) -> Option<&Rc<Route>> {
        let method = Methods::of(method)?;
        self.routes
            .iter()
            .find(|route| !route.methods.common(method).is_empty())
    }

    fn methods(&self) -> Methods {
        self.routes
            .iter()
            .fold(Methods::default(), |all, route| all.with(route.methods))
    }
}
