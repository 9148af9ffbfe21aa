use std::collections::BTreeMap;

use portcullis_shared::claims::{AccessClaims, Audience};
use portcullis_shared::revocation::Feed;
use proptest::prelude::*;
use uuid::Uuid;

use super::{Counts, Outlook, Refused, Revocations, Standing};

const NOW: i64 = 1_800_000_000;
const LIFETIME: u32 = 960;

fn session(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn claims(sid: Uuid, sub: Uuid, iat: i64) -> AccessClaims {
    AccessClaims {
        iss: "i".to_owned(),
        aud: Audience::One("a".to_owned()),
        sub: sub.to_string(),
        exp: iat + 900,
        iat,
        nbf: None,
        jti: "jti".to_owned(),
        client_id: None,
        sid: sid.to_string(),
        tenant_id: "tenant".to_owned(),
        role: None,
        permissions: Vec::new(),
        venues: BTreeMap::new(),
        venues_truncated: false,
        auth_time: None,
        amr: Vec::new(),
        acr: None,
    }
}

fn feed(seq: u64, since: Option<u64>, sessions: &[u128], as_of: i64) -> Feed {
    Feed {
        as_of,
        epoch: 1,
        seq,
        since,
        lifetime: LIFETIME,
        key_set_version: 0,
        sessions: sessions.iter().map(|n| session(*n)).collect(),
        subjects: BTreeMap::new(),
    }
}

/// Knows a snapshot with the session 1, as of now.
fn knowing() -> Revocations {
    let mut revocations = Revocations::default();
    revocations.take_in(feed(5, None, &[1], NOW), NOW, NOW).unwrap();
    revocations
}

fn standing_of(revocations: &Revocations, sid: u128) -> Standing {
    revocations.standing(&claims(session(sid), session(0), NOW))
}

#[test]
fn an_ended_session_is_known_from_snapshots_and_from_what_comes_after() {
    let mut revocations = knowing();
    assert_eq!(standing_of(&revocations, 1), Standing::Ended);
    assert_eq!(standing_of(&revocations, 2), Standing::Good);
    revocations
        .take_in(feed(6, Some(5), &[2], NOW + 1), NOW + 1, NOW + 1)
        .unwrap();
    assert_eq!(standing_of(&revocations, 1), Standing::Ended);
    assert_eq!(standing_of(&revocations, 2), Standing::Ended);
}

#[test]
fn a_snapshot_replaces_what_was_known() {
    let mut revocations = knowing();
    revocations.take_in(feed(9, None, &[3], NOW), NOW, NOW).unwrap();
    assert_eq!(standing_of(&revocations, 1), Standing::Good);
    assert_eq!(standing_of(&revocations, 3), Standing::Ended);
}

#[test]
fn tokens_from_before_a_change_of_their_subject_are_outdated_and_later_ones_are_not() {
    let mut revocations = Revocations::default();
    let subjects = BTreeMap::from([(session(7), NOW)]);
    let feed = Feed {
        subjects,
        ..feed(1, None, &[], NOW)
    };
    revocations.take_in(feed, NOW, NOW).unwrap();
    let of = |iat| revocations.standing(&claims(session(1), session(7), iat));
    assert_eq!(of(NOW - 1), Standing::Outdated);
    assert_eq!(of(NOW), Standing::Good);
    assert_eq!(
        revocations.standing(&claims(session(1), session(8), 0)),
        Standing::Good
    );
}

#[test]
fn of_two_changes_of_a_subject_the_later_moment_counts_whatever_their_order() {
    for moments in [[NOW, NOW + 9], [NOW + 9, NOW]] {
        let mut revocations = Revocations::default();
        for (seq, moment) in (0_u64..).zip(moments) {
            let subjects = BTreeMap::from([(session(7), moment)]);
            let since = seq.checked_sub(1);
            let feed = Feed {
                subjects,
                ..feed(seq, since, &[], NOW)
            };
            revocations.take_in(feed, NOW, NOW).unwrap();
        }
        let token = claims(session(1), session(7), NOW + 8);
        assert_eq!(revocations.standing(&token), Standing::Outdated, "{moments:?}");
    }
}

#[test]
fn a_state_ages_from_fresh_to_due() {
    let revocations = knowing();
    for (seconds, outlook) in [
        (0, Outlook::Fresh),
        (2, Outlook::Fresh),
        (3, Outlook::Ageing),
        (4, Outlook::Ageing),
        (5, Outlook::Due),
    ] {
        assert_eq!(revocations.outlook(NOW + seconds), outlook, "{seconds}");
    }
    assert_eq!(Revocations::default().outlook(NOW), Outlook::Due);
}

#[test]
fn age_counts_from_the_signed_moment_and_not_from_the_arrival() {
    let mut revocations = Revocations::default();
    revocations
        .take_in(feed(1, None, &[], NOW), NOW, NOW + 4)
        .unwrap();
    assert_eq!(revocations.age(NOW + 4), Some(4));
}

#[test]
fn a_clock_behind_the_origins_does_not_make_an_answer_younger_than_its_arrival() {
    let mut revocations = Revocations::default();
    revocations
        .take_in(feed(1, None, &[], NOW + 5), NOW + 5, NOW)
        .unwrap();
    assert_eq!(revocations.age(NOW), Some(0));
    assert_eq!(revocations.outlook(NOW + 5), Outlook::Due);
}

#[test]
fn a_clock_ahead_of_the_origins_makes_every_answer_stale_rather_than_trusted() {
    let mut revocations = Revocations::default();
    revocations
        .take_in(feed(1, None, &[], NOW), NOW, NOW + 6)
        .unwrap();
    assert_eq!(revocations.outlook(NOW + 6), Outlook::Stale(Some(6)));
}

#[test]
fn after_a_failed_fetch_the_old_state_is_stale_for_a_moment_and_then_due_again() {
    let mut revocations = knowing();
    revocations.failed(NOW + 10);
    assert_eq!(revocations.outlook(NOW + 10), Outlook::Stale(Some(10)));
    assert_eq!(revocations.outlook(NOW + 11), Outlook::Due);
    assert_eq!(
        standing_of(&revocations, 1),
        Standing::Ended,
        "what is known stays known"
    );
}

#[test]
fn one_request_renews_an_ageing_state() {
    let mut revocations = knowing();
    assert!(revocations.begin_renewal(NOW + 3));
    assert!(!revocations.begin_renewal(NOW + 3));
    assert!(
        revocations.begin_renewal(NOW + 4),
        "the first may have been cancelled"
    );
    revocations
        .take_in(feed(5, Some(5), &[], NOW + 4), NOW + 4, NOW + 4)
        .unwrap();
    assert!(revocations.begin_renewal(NOW + 4), "it is done");
}

#[test]
fn a_failed_renewal_is_not_repeated_at_once() {
    let mut revocations = knowing();
    assert!(revocations.begin_renewal(NOW + 3));
    revocations.failed(NOW + 3);
    assert!(!revocations.begin_renewal(NOW + 3));
    assert!(revocations.begin_renewal(NOW + 4));
}

#[test]
fn an_older_state_is_refused_and_the_newer_one_stays() {
    let mut revocations = knowing();
    for older in [
        feed(4, None, &[9], NOW + 1),
        Feed {
            epoch: 0,
            ..feed(9, None, &[9], NOW + 1)
        },
    ] {
        assert_eq!(revocations.take_in(older, NOW + 1, NOW + 1), Err(Refused::Older));
    }
    assert_eq!(standing_of(&revocations, 1), Standing::Ended);
    assert_eq!(standing_of(&revocations, 9), Standing::Good);
    assert_eq!(revocations.age(NOW + 1), Some(1));
}

#[test]
fn an_answer_that_leaves_entries_out_is_refused() {
    let mut revocations = knowing();
    let gap = feed(9, Some(6), &[9], NOW);
    assert_eq!(revocations.take_in(gap.clone(), NOW, NOW), Err(Refused::Gap));
    assert_eq!(Revocations::default().take_in(gap, NOW, NOW), Err(Refused::Gap));
    let other_epoch = Feed {
        epoch: 2,
        ..feed(9, Some(5), &[9], NOW)
    };
    assert_eq!(revocations.take_in(other_epoch, NOW, NOW), Err(Refused::Gap));
    let overlap = feed(9, Some(3), &[9], NOW);
    assert_eq!(revocations.take_in(overlap, NOW, NOW), Ok(()));
}

#[test]
fn a_snapshot_of_a_later_epoch_is_taken_whatever_its_numbers() {
    let mut revocations = knowing();
    let set_back = Feed {
        epoch: 2,
        ..feed(1, None, &[8], NOW)
    };
    assert_eq!(revocations.take_in(set_back, NOW, NOW), Ok(()));
    assert_eq!(standing_of(&revocations, 8), Standing::Ended);
}

#[test]
fn the_moment_inside_must_be_the_signed_one() {
    let mut revocations = knowing();
    assert_eq!(
        revocations.take_in(feed(6, Some(5), &[], NOW + 1), NOW + 2, NOW),
        Err(Refused::Moment)
    );
}

#[test]
fn nothing_new_makes_the_state_young_again() {
    let mut revocations = knowing();
    let (_, tag) = revocations.position(NOW).unwrap();
    assert_eq!(revocations.unchanged(&tag, NOW + 6, NOW + 6), Ok(()));
    assert_eq!(revocations.outlook(NOW + 6), Outlook::Fresh);
    assert_eq!(
        revocations.unchanged("\"1.4.0\"", NOW + 7, NOW + 7),
        Err(Refused::OtherState)
    );
    assert_eq!(
        Revocations::default().unchanged(&tag, NOW, NOW),
        Err(Refused::OtherState)
    );
}

#[test]
fn entries_are_kept_for_their_lifetime_and_forgotten_before_twice_that() {
    let mut revocations = knowing();
    let lifetime = i64::from(LIFETIME);
    let mut now = NOW;
    while now < NOW + 2 * lifetime + 4 {
        now += 2;
        revocations.take_in(feed(5, Some(5), &[], now), now, now).unwrap();
        if now <= NOW + lifetime {
            assert_eq!(standing_of(&revocations, 1), Standing::Ended, "{}", now - NOW);
        }
    }
    assert_eq!(standing_of(&revocations, 1), Standing::Good);
}

#[test]
fn who_is_not_named_by_a_uuid_was_never_revoked() {
    let revocations = knowing();
    let odd = AccessClaims {
        sid: "one".to_owned(),
        sub: "two".to_owned(),
        ..claims(session(1), session(1), NOW)
    };
    assert_eq!(revocations.standing(&odd), Standing::Good);
}

proptest! {
    /// An edge that gets its answers late, twice and out of order knows every live entry of the state it says it has.
    #[test]
    fn whatever_is_taken_in_nothing_up_to_the_cursor_is_missing(
        answers in prop::collection::vec((0_u64..12, 0_u64..12, any::<bool>()), 1..40),
    ) {
        let mut revocations = Revocations::default();
        for (a, b, is_snapshot) in answers {
            let (since, seq) = (a.min(b), a.max(b));
            let from = if is_snapshot { 0 } else { since };
            let told: Vec<u128> = (from + 1..=seq).map(u128::from).collect();
            let answer = feed(seq, (!is_snapshot).then_some(since), &told, NOW);
            let _ = revocations.take_in(answer, NOW, NOW);
            if let Some((cursor, _)) = revocations.position(NOW) {
                for n in 1..=cursor.seq {
                    prop_assert_eq!(standing_of(&revocations, u128::from(n)), Standing::Ended);
                }
            }
        }
    }
}

#[test]
fn what_goes_wrong_is_counted() {
    let mut revocations = knowing();
    revocations.failed(NOW);
    revocations.refused(NOW);
    revocations.refused(NOW);
    revocations.passed_stale();
    assert_eq!(
        revocations.counts(),
        Counts {
            failed: 1,
            refused: 2,
            stale_passes: 1
        }
    );
}

#[test]
fn the_first_fetch_has_longer_than_those_after_it() {
    let mut revocations = Revocations::default();
    assert!(revocations.begin_renewal(NOW));
    assert!(!revocations.begin_renewal(NOW + 3));
    assert!(revocations.begin_renewal(NOW + 4));
}

#[test]
fn the_same_answer_once_more_does_not_make_a_state_younger() {
    let mut revocations = Revocations::default();
    let same = || feed(1, None, &[], NOW + 4);
    revocations.take_in(same(), NOW + 4, NOW).unwrap();
    revocations
        .take_in(
            Feed {
                since: Some(1),
                ..same()
            },
            NOW + 4,
            NOW + 3,
        )
        .unwrap();
    assert_eq!(revocations.age(NOW + 5), Some(5));
}

#[test]
fn within_an_epoch_no_older_key_set_is_asked_for() {
    let mut revocations = Revocations::default();
    let with_keys = |key_set_version| Feed {
        key_set_version,
        ..feed(1, None, &[], NOW)
    };
    revocations.take_in(with_keys(4), NOW, NOW).unwrap();
    assert_eq!(revocations.take_in(with_keys(3), NOW, NOW), Err(Refused::Older));
    assert_eq!(revocations.key_set_version(), 4);
}

#[test]
fn a_state_of_which_every_token_has_expired_is_forgotten() {
    let mut revocations = knowing();
    let lifetime = i64::from(LIFETIME);
    assert!(revocations.position(NOW + lifetime).is_some());
    assert_eq!(revocations.position(NOW + lifetime + 1), None);
    let set_back = feed(1, None, &[2], NOW + lifetime + 1);
    let later = NOW + lifetime + 1;
    assert_eq!(revocations.take_in(set_back, later, later), Ok(()));
}

#[test]
fn an_answer_that_lost_a_race_costs_no_pause() {
    let mut revocations = knowing();
    revocations.refused(NOW);
    assert!(revocations.begin_renewal(NOW));
}
