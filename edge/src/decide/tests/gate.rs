//! Requirements of several demands, and what is told of them.

use std::collections::BTreeMap;

use portcullis_shared::claims::AccessClaims;
use portcullis_shared::problem::ProblemCode;
use proptest::prelude::*;

use super::{Ask, NOW, VENUE, claims, nothing_revoked};
use crate::decide::{Decision, Findings, Knowledge, TokenVerdict, decide, findings};
use crate::path::Target;
use crate::policy::{Acr, Demand, Policy};

fn policy() -> Policy {
    Policy::parse(
        r#"{"issuer": "i", "audience": "a", "routes": [
            {"path": "/any", "upstream": "app", "require": {"any": [{"permission": "p"}, {"role": "r"}]}},
            {"path": "/all", "upstream": "app", "require": {"all": [{"permission": "p"}, {"role": "r"}]}},
            {"path": "/any/{venue}", "upstream": "app", "require": {"any": [{"permission": "tickets:sell"}, {"role": "door-staff"}]}, "venue": "venue"},
            {"path": "/all/{venue}", "upstream": "app", "require": {"all": [{"permission": "tickets:sell"}, {"role": "door-staff"}]}, "venue": "venue"},
            {"path": "/both", "upstream": "app", "require": {"role": "r"}, "step_up": {"max_age": 60, "acr": "aal2"}}
        ]}"#,
    )
    .unwrap()
}

fn holding(role: Option<&str>, permissions: &[&str]) -> AccessClaims {
    AccessClaims {
        role: role.map(str::to_owned),
        permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
        ..claims()
    }
}

fn at_venue(roles: &[&str]) -> AccessClaims {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    AccessClaims {
        venues: BTreeMap::from([(VENUE.to_owned(), roles)]),
        ..claims()
    }
}

/// Nothing where the request passes, else the reason that is logged.
fn refused(path: &str, claims: AccessClaims) -> Option<String> {
    let ask = Ask::new("GET", path).bearing("token");
    let (policy, revocations) = (policy(), nothing_revoked());
    let knowledge = Knowledge::of(&policy, &revocations);
    match decide(&ask, &knowledge, |_| TokenVerdict::Verified(claims), NOW) {
        Decision::Pass(_) => None,
        Decision::Refuse(refusal) => {
            assert_eq!(refusal.code, ProblemCode::Forbidden);
            assert_eq!(
                refusal.challenge.as_deref(),
                Some(r#"Bearer error="insufficient_scope""#)
            );
            Some(refusal.reason)
        }
        Decision::Preflight(_)
        | Decision::Verify(_)
        | Decision::FetchRevocations
        | Decision::Refresh(_)
        | Decision::Count(_)
        | Decision::AskVenueRoles(_) => panic!("all is known"),
    }
}

#[test]
fn any_of_several_demands_opens_a_route() {
    assert_eq!(refused("/any", holding(None, &["p"])), None);
    assert_eq!(refused("/any", holding(Some("r"), &[])), None);
    assert_eq!(refused("/any", holding(Some("r"), &["p"])), None);
    assert_eq!(
        refused("/any", holding(Some("s"), &["q"])).as_deref(),
        Some("missing: permission p or role r")
    );
}

#[test]
fn all_of_several_demands_are_needed_and_those_that_are_missing_are_named() {
    assert_eq!(refused("/all", holding(Some("r"), &["p"])), None);
    assert_eq!(refused("/all", holding(Some("r"), &["*"])), None);
    for (claims, reason) in [
        (holding(None, &["p"]), "missing: role r"),
        (holding(Some("r"), &[]), "missing: permission p"),
        (holding(None, &[]), "missing: permission p and role r"),
    ] {
        assert_eq!(refused("/all", claims).as_deref(), Some(reason));
    }
}

#[test]
fn several_demands_at_a_venue_look_at_the_roles_held_there() {
    let any = format!("/any/{VENUE}");
    assert_eq!(refused(&any, at_venue(&["box-office"])), None);
    assert_eq!(refused(&any, at_venue(&["door-staff"])), None);
    let everywhere = AccessClaims {
        venues: BTreeMap::new(),
        ..holding(Some("door-staff"), &["tickets:sell"])
    };
    assert_eq!(
        refused(&any, everywhere).as_deref(),
        Some("missing at the venue: permission tickets:sell or role door-staff")
    );
    let all = format!("/all/{VENUE}");
    assert_eq!(refused(&all, at_venue(&["box-office", "door-staff"])), None);
    assert_eq!(
        refused(&all, at_venue(&["venue-owner"])).as_deref(),
        Some("missing at the venue: role door-staff"),
        "to own is not to be staff"
    );
}

#[test]
fn findings_tell_of_each_demand_whatever_the_decision_needed() {
    let policy = policy();
    let url = "http://h/both";
    let route = policy.routes().find(|route| route.path == "/both").unwrap();
    let role = Demand::Role("r".to_owned());
    let claims = AccessClaims {
        acr: Some("aal2".to_owned()),
        auth_time: Some(NOW - 61),
        ..holding(Some("s"), &[])
    };
    assert_eq!(
        findings(&route.gate, &claims, &Target::of_url(url).unwrap(), NOW),
        Findings {
            requirement: false,
            demands: vec![(&role, false)],
            max_age: Some((60, false)),
            acr: Some((Acr::Aal2, true)),
        }
    );
}

proptest! {
    /// The decision lets pass if, and only if, everything that is told is met.
    #[test]
    fn findings_agree_with_the_decision(
        path in "/(any|all|both)", role in prop::option::of("[rs]"), permissions in prop::collection::vec("[pq*]", 0..3),
        age in 0..120_i64, acr in prop::option::of("aal[123]"),
    ) {
        let policy = policy();
        let route = policy.routes().find(|route| route.path == path).unwrap();
        let claims = AccessClaims { role, permissions, acr, auth_time: Some(NOW - age), ..claims() };
        let url = format!("http://h{path}");
        let found = findings(&route.gate, &claims, &Target::of_url(&url).unwrap(), NOW);
        let is_met = found.requirement && found.max_age.is_none_or(|(_, met)| met) && found.acr.is_none_or(|(_, met)| met);
        let ask = Ask::new("GET", &path).bearing("token");
        let revocations = nothing_revoked();
        let knowledge = Knowledge::of(&policy, &revocations);
        let passes = matches!(decide(&ask, &knowledge, |_| TokenVerdict::Verified(claims), NOW), Decision::Pass(_));
        prop_assert_eq!(passes, is_met);
    }
}
