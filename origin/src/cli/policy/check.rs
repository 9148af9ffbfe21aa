//! `portcullis policy check`.

use portcullis_edge::config::{ORIGIN, Upstream};
use portcullis_edge::policy::{Demand, Destination, METHODS, Policy, Route, UnlikeItsFolder};
use portcullis_shared::roles::{CUSTOMER, MANAGE_ROLES, VENUE_ROLES, permissions_of};
use serde::Serialize;
use serde_json::Value;

use super::arguments::TableArguments;
use super::table::Source;
use super::{Attempt, CliError, say};

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    routes: Vec<Row>,
    mistakes: Vec<String>,
    warnings: Vec<String>,
}

/// A route, for people.
#[derive(Serialize)]
struct Row {
    number: usize,
    methods: String,
    path: String,
    /// The upstream, or `forward_auth`.
    destination: String,
    who: String,
    extras: Vec<String>,
}

/// Prints the routes, or fails with all mistakes.
pub(super) fn run(arguments: &TableArguments, json: bool) -> Result<(), CliError> {
    let report = report(&Source::read(arguments)?);
    if json {
        say(serde_json::to_string_pretty(&report).attempt("the report cannot be shown")?);
    } else {
        print(&report);
    }
    if report.mistakes.is_empty() {
        Ok(())
    } else {
        Err(CliError::Refused)
    }
}

fn report(source: &Source) -> Report {
    let mut report = Report {
        routes: Vec::new(),
        mistakes: Vec::new(),
        warnings: Vec::new(),
    };
    match source.parse() {
        Ok(policy) => {
            report.routes = policy.routes().map(|route| Row::of(route)).collect();
            check_upstreams(&policy, source, &mut report);
            if let Err(found) = source.check_bindings(&policy) {
                report.mistakes.extend(found.0);
            }
            let strange = policy.routes().flat_map(|route| strange_names(route));
            report.warnings.extend(strange);
            report
                .warnings
                .extend(policy.shadow_routes().map(|route| in_shadow(route)));
            let unlike = policy.unlike_their_folders();
            report
                .warnings
                .extend(unlike.map(|found| beside_the_folder(&found)));
        }
        Err(mistakes) => report.mistakes = mistakes.0,
    }
    report
}

/// Whether each upstream has its URL. It may also be set elsewhere, such as in the dashboard.
fn check_upstreams(policy: &Policy, source: &Source, report: &mut Report) {
    let Some(variables) = source.variables() else {
        return;
    };
    // The key set comes from the origin, whether or not a route leads there.
    let others = policy.upstreams().filter(|name| *name != ORIGIN);
    for name in std::iter::once(ORIGIN).chain(others) {
        let variable = Upstream::variable(name);
        match variables.get(&variable).map(Value::as_str) {
            None => report.warnings.push(format!(
                "{variable} is not among the variables of the file: unless it is set elsewhere, every answer is 500"
            )),
            Some(url) if url.and_then(|url| Upstream::parse(name, url)).is_none() => {
                report.mistakes.push(format!("{variable} {}", Upstream::URL_RULE));
            }
            Some(_) => {}
        }
    }
}

/// What it means that a route is in shadow.
fn in_shadow(route: &Route) -> String {
    let place = format!("route {} ({})", route.number, route.path);
    if route.gate.sensitive {
        format!(
            "{place} is sensitive and in shadow: everybody passes, also while it is not known what was revoked"
        )
    } else {
        format!("{place} is in shadow: everybody passes, and what would have been refused is only logged")
    }
}

/// What it means that the path of a folder, without the slash, is another route's.
fn beside_the_folder(UnlikeItsFolder { folder, decides }: &UnlikeItsFolder<'_>) -> String {
    let own = folder.path.trim_end_matches("/*");
    format!(
        "route {} ({}) is for {}, and does not take {own} itself: route {} ({}) does, which is for {}",
        folder.number,
        folder.path,
        who(folder),
        decides.number,
        decides.path,
        who(decides)
    )
}

/// Roles and permissions that no token of ours would have.
fn strange_names(route: &Route) -> impl Iterator<Item = String> {
    let place = format!("route {} ({})", route.number, route.path);
    let is_at_venue = route.gate.venue.is_some();
    let strange = route.gate.requirement.demands().iter().filter_map(move |demand| {
        let why = match demand {
            Demand::Role(name) => strange_role(name, is_at_venue)?,
            Demand::Permission(name) if is_listed(name) => return None,
            Demand::Permission(_) => "which no role lists: only those with all permissions have it",
        };
        Some(format!("requires the {demand}, {why}"))
    });
    strange.map(move |what| format!("{place} {what}"))
}

fn strange_role(name: &str, is_at_venue: bool) -> Option<&'static str> {
    if permissions_of(name).is_none() {
        return Some("which the table of roles does not have");
    }
    match (VENUE_ROLES.contains(&name), is_at_venue) {
        (true, false) => Some("which is held at venues only: the route names no venue"),
        (false, true) => Some("which is not held at venues"),
        (true, true) | (false, false) => None,
    }
}

fn is_listed(permission: &str) -> bool {
    let roles = VENUE_ROLES.iter().chain([&CUSTOMER]);
    permission == MANAGE_ROLES
        || roles
            .filter_map(|role| permissions_of(role))
            .any(|permissions| permissions.contains(&permission))
}

impl Row {
    fn of(route: &Route) -> Self {
        let methods = route.methods().list();
        Self {
            number: route.number,
            methods: if methods == METHODS.join(", ") {
                "any".to_owned()
            } else {
                methods
            },
            path: route.path.clone(),
            destination: match &route.destination {
                Destination::Upstream(name) => name.clone(),
                Destination::ForwardAuth => "forward_auth".to_owned(),
            },
            who: who(route),
            extras: extras(route),
        }
    }
}

/// Who may pass.
pub(super) fn who(route: &Route) -> String {
    let requirement = &route.gate.requirement;
    // A venue is a parameter of the path, so the path has it.
    match route
        .gate
        .venue
        .and_then(|at| route.path.split('/').nth(at.saturating_add(1)))
    {
        Some(venue) => format!("{requirement} at {venue}"),
        None => requirement.to_string(),
    }
}

/// What else the route says, where it says more than the others.
pub(super) fn extras(route: &Route) -> Vec<String> {
    let mut extras = Vec::new();
    if let Some(wanted) = &route.gate.step_up {
        let max_age = wanted.max_age.map(|seconds| format!("{seconds} s"));
        let acr = wanted.acr.map(|acr| acr.as_str().to_owned());
        let wanted: Vec<String> = max_age.into_iter().chain(acr).collect();
        extras.push(format!("step-up ({})", wanted.join(", ")));
    }
    if route.gate.sensitive {
        extras.push("sensitive".to_owned());
    }
    if route.answers.cors.is_some() {
        extras.push("cors".to_owned());
    }
    extras.extend(
        route
            .max_body_bytes
            .map(|bytes| format!("body up to {bytes} bytes")),
    );
    let limits: Vec<&str> = route.limits.iter().map(|limit| limit.name.as_str()).collect();
    extras.push(if limits.is_empty() {
        "no limit".to_owned()
    } else {
        format!("limit {}", limits.join(" + "))
    });
    if let Destination::Upstream(_) = route.destination {
        extras.push(format!("answer within {} s", route.timeout_seconds));
    }
    extras
}

fn print(report: &Report) {
    let width = |text: fn(&Row) -> &str| {
        let widths = report.routes.iter().map(|row| text(row).chars().count());
        widths.max().unwrap_or(0)
    };
    let (path, methods) = (width(|row| &row.path), width(|row| &row.methods));
    let (destination, who) = (width(|row| &row.destination), width(|row| &row.who));
    for row in &report.routes {
        say(format_args!(
            "{:>3}  {:<path$}  {:<methods$}  {:<destination$}  {:<who$}  {}",
            row.number,
            row.path,
            row.methods,
            row.destination,
            row.who,
            row.extras.join(", ")
        ));
    }
    for mistake in &report.mistakes {
        say(format_args!("mistake: {mistake}"));
    }
    for warning in &report.warnings {
        say(format_args!("warning: {warning}"));
    }
    match report.mistakes.len() {
        0 => say(format_args!("{} routes, no mistakes", report.routes.len())),
        count => say(format_args!("mistakes: {count}")),
    }
}
