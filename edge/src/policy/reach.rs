//! Routes that no request can reach, because the rest of the table, or the edge itself, leaves them nothing.

use std::rc::Rc;

use portcullis_shared::revocation::FEED_PATH;
use portcullis_shared::venue_roles::VENUE_ROLES_PATH;

use super::pattern::Case;
use super::{Entry, Found, METHODS, Mistakes, Policy, Route};
use crate::path::Target;

/// What the origin tells the edge, and nobody else, whatever the table says.
pub(crate) const EDGES_OWN_PATHS: [&str; 2] = [FEED_PATH, VENUE_ROLES_PATH];

/// Reports every route that no request can reach, of a table whose routes do not overlap.
///
/// Each is looked up as a request would be, with a path for each way in which other patterns could take it: its open
/// segments filled with what no pattern spells out, and as any other pattern has them, also in another case (which
/// only a lenient upstream takes for the same), in each depth that patterns tell apart, with and without a slash at
/// the end. Where none of these comes back to it, no path does: a pattern that takes one takes every path that
/// differs only in segments which no pattern spells out.
pub(super) fn report(policy: &Policy, mistakes: &mut Mistakes) {
    let filler = filler(policy);
    let deepest = policy.entries.iter().map(|entry| entry.pattern.len());
    let deepest = deepest.max().unwrap_or(0);
    for entry in &policy.entries {
        for route in &entry.routes {
            if !witnesses(policy, entry, deepest, &filler).any(|path| reaches(policy, route, &path)) {
                let why = obstacle(policy, &entry.pattern.witness(0, (None, Case::Same), &filler));
                mistakes.add(
                    &format!("route {} ({})", route.number, route.path),
                    format_args!("can never be reached: {why}"),
                );
            }
        }
    }
}

/// A route of a folder whose own path has none, and falls to one that demands something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlikeItsFolder<'p> {
    /// The route of the folder, whose path ends in `/*`.
    pub folder: &'p Route,
    /// The one that decides on the path before that.
    pub decides: &'p Route,
}

impl Policy {
    /// Every folder whose own path, without the slash, is decided upon by a wider route that demands something else: `/admin`
    /// by `/*`, where `/admin/*` has a gate. A path that a route spells out has been thought of.
    pub fn unlike_their_folders(&self) -> impl Iterator<Item = UnlikeItsFolder<'_>> {
        let filler = filler(self);
        let folders = self.entries.iter().filter(|entry| entry.pattern.is_open());
        folders.flat_map(move |entry| {
            let path = entry.pattern.witness(0, (None, Case::Same), &filler);
            let wider = self.entry(&path, false);
            let wider = wider.filter(|wider| !wider.pattern.is_path_of(&entry.pattern));
            entry.routes.iter().filter_map(move |folder| {
                let methods = METHODS
                    .iter()
                    .filter(|method| entry.route(method).is_some_and(|route| Rc::ptr_eq(route, folder)));
                let mut deciding = methods.filter_map(|method| wider?.route(method));
                let decides = deciding.find(|decides| decides.gate != folder.gate)?;
                Some(UnlikeItsFolder { folder, decides })
            })
        })
    }
}

/// What no pattern spells out: it is longer than every fixed segment.
fn filler(policy: &Policy) -> String {
    let longest = policy.entries.iter().map(|entry| entry.pattern.longest_fixed());
    "0".repeat(longest.max().unwrap_or(0) + 1)
}

fn witnesses<'p>(
    policy: &'p Policy,
    entry: &'p Entry,
    deepest: usize,
    filler: &'p str,
) -> impl Iterator<Item = String> + 'p {
    let own = &entry.pattern;
    let others = std::iter::once(None).chain(policy.entries.iter().map(|entry| Some(&entry.pattern)));
    let likes = others.flat_map(|other| Case::ALL.map(|case| (other, case)));
    let depths = if own.is_open() {
        0..=deepest.saturating_sub(own.len()).saturating_add(1)
    } else {
        0..=0
    };
    likes.flat_map(move |like| {
        depths.clone().flat_map(move |depth| {
            let path = own.witness(depth, like, filler);
            let folder = own.is_open().then(|| format!("{path}/"));
            [Some(path), folder].into_iter().flatten()
        })
    })
}

fn reaches(policy: &Policy, route: &Route, path: &str) -> bool {
    let url = url(path);
    !EDGES_OWN_PATHS.contains(&path)
        && Target::of_url(&url).is_ok_and(|target| {
            METHODS.iter().any(|method| {
                matches!(policy.find(method, &target), Found::Route(found) if found.number == route.number)
            })
        })
}

/// What stands in the way of a path that only the route's own pattern spells out.
fn obstacle(policy: &Policy, path: &str) -> &'static str {
    let url = url(path);
    let found = |target: Target<'_>| {
        METHODS
            .iter()
            .any(|method| matches!(policy.find(method, &target), Found::TwoReadings))
    };
    if EDGES_OWN_PATHS.contains(&path) {
        "the edge keeps its path for itself"
    } else if Target::of_url(&url).is_ok_and(found) {
        "a lenient upstream would take its path for that of another route, which demands something else"
    } else {
        "narrower routes take all of its paths"
    }
}

fn url(path: &str) -> String {
    format!("http://edge{path}")
}
