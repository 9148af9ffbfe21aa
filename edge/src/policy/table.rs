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
        match self.lenient_route(method, target) {
            Some(other)
                if other.gate != route.gate
                    || other.destination != route.destination
                    || other.limits != route.limits
                    || other.answers.cors != route.answers.cors =>
            {
                Found::TwoReadings
            }
            _ => Found::Route(route),
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

    fn entry(&self, path: &str, fold: bool) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.pattern.matches(path, fold))
    }

    /// The route that a lenient upstream would take the path to; `None` where no reading differs.
    fn lenient_route(&self, method: &str, target: &Target<'_>) -> Option<&Rc<Route>> {
        let reading = target.lenient_reading();
        if reading.is_none() && !target.path().bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        self.entry(reading.as_deref().unwrap_or(target.path()), true)?
            .route(method)
    }
}

impl Entry {
    fn route(&self, method: &str) -> Option<&Rc<Route>> {
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
