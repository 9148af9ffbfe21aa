use super::*;
use portcullis_shared::claims::Audience;
use proptest::prelude::*;

const NOW: i64 = 1_800_000_000;

fn question(subject: u128, venue: u128, issued_at: i64) -> Question {
    Question {
        place: Place {
            tenant: Uuid::from_u128(7),
            subject: Uuid::from_u128(subject),
            venue: Uuid::from_u128(venue),
        },
        issued_at,
    }
}

fn roles(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn an_answer_counts_for_five_seconds_also_when_it_is_that_nothing_is_held() {
    let asked = question(1, 1, NOW);
    for names in [&["door-staff"][..], &[]] {
        let mut known = VenueRoles::default();
        assert_eq!(known.begin(&asked, NOW), Turn::Ask);
        known.answered(&asked, roles(names), NOW);
        for later in 0..5 {
            assert_eq!(known.look_up(&asked, NOW + later), Known::Roles(&roles(names)));
            assert_eq!(known.begin(&asked, NOW + later), Turn::Look);
        }
        assert_eq!(known.look_up(&asked, NOW + 5), Known::Nothing);
        assert_eq!(known.begin(&asked, NOW + 5), Turn::Ask);
    }
}

#[test]
fn an_answer_is_about_one_account_of_one_tenant_at_one_venue() {
    let asked = question(1, 1, NOW);
    let mut known = VenueRoles::default();
    known.answered(&asked, roles(&["door-staff"]), NOW);
    let other_tenant = Question {
        place: Place {
            tenant: Uuid::from_u128(8),
            ..asked.place
        },
        ..asked
    };
    for other in [question(2, 1, NOW), question(1, 2, NOW), other_tenant] {
        assert_eq!(known.look_up(&other, NOW), Known::Nothing, "{other:?}");
    }
}

#[test]
fn a_token_that_was_made_later_asks_anew_so_that_no_answer_outlives_a_change() {
    let mut known = VenueRoles::default();
    known.answered(&question(1, 1, NOW), roles(&["venue-owner"]), NOW);
    let newer = question(1, 1, NOW + 1);
    assert_eq!(known.begin(&newer, NOW + 1), Turn::Ask);
    known.answered(&newer, roles(&[]), NOW + 1);
    for older in [newer, question(1, 1, NOW), question(1, 1, NOW - 100)] {
        assert_eq!(known.look_up(&older, NOW + 1), Known::Roles(&[]));
    }
}

#[test]
fn of_several_requests_one_asks_and_the_others_wait_also_when_the_second_turns() {
    let asked = question(1, 1, NOW);
    let mut known = VenueRoles::default();
    assert_eq!(known.begin(&asked, NOW), Turn::Ask);
    assert_eq!(known.begin(&asked, NOW), Turn::Wait);
    assert_eq!(known.look_up(&asked, NOW), Known::Nothing);
    assert_eq!(known.begin(&asked, NOW + 1), Turn::Wait);
    assert_eq!(known.begin(&asked, NOW + 2), Turn::Ask);
}

#[test]
fn after_a_question_in_vain_nobody_asks_for_a_second_and_what_is_known_counts() {
    let (asked, other) = (question(1, 1, NOW), question(2, 2, NOW));
    let mut known = VenueRoles::default();
    known.answered(&other, roles(&["box-office"]), NOW);
    assert_eq!(known.begin(&asked, NOW), Turn::Ask);
    known.failed(&asked, NOW);
    assert_eq!(known.look_up(&asked, NOW), Known::NotNow);
    assert_eq!(known.begin(&asked, NOW), Turn::Look);
    assert_eq!(known.look_up(&question(3, 3, NOW), NOW), Known::NotNow);
    assert_eq!(known.look_up(&other, NOW), Known::Roles(&roles(&["box-office"])));
    assert_eq!(known.begin(&asked, NOW + 1), Turn::Ask);
}

#[test]
fn made_up_venues_use_up_the_questions_of_their_account_and_of_no_other() {
    let mut known = VenueRoles::default();
    let mut asked = 0;
    for venue in 0..1000 {
        if known.begin(&question(1, venue, NOW), NOW) == Turn::Ask {
            asked += 1;
            known.answered(&question(1, venue, NOW), Vec::new(), NOW);
        }
    }
    assert_eq!(asked, MOST_FOR_SUBJECT);
    assert_eq!(known.look_up(&question(1, 5000, NOW), NOW), Known::NotNow);
    assert_eq!(known.begin(&question(2, 5000, NOW), NOW), Turn::Ask);
    assert_eq!(known.begin(&question(1, 5000, NOW), NOW + 1), Turn::Ask);
}

#[test]
fn all_accounts_together_ask_no_more_than_an_isolate_may() {
    let mut known = VenueRoles::default();
    let begins = (0..1000).filter(|subject| known.begin(&question(*subject, 1, NOW), NOW) == Turn::Ask);
    assert_eq!(begins.count(), usize::try_from(MOST_IN_ALL).unwrap());
}

#[test]
fn a_request_waits_for_an_answer_that_is_under_way_also_when_no_more_may_be_asked() {
    let mut known = VenueRoles::default();
    for venue in 0..u128::from(MOST_FOR_SUBJECT) {
        assert_eq!(known.begin(&question(1, venue, NOW), NOW), Turn::Ask);
    }
    assert_eq!(known.begin(&question(1, 0, NOW), NOW), Turn::Wait);
    assert_eq!(known.begin(&question(1, 999, NOW), NOW), Turn::Look);
}

#[test]
fn a_clock_that_is_set_back_makes_no_answer_younger() {
    let asked = question(1, 1, NOW);
    let mut known = VenueRoles::default();
    known.answered(&asked, roles(&["door-staff"]), NOW);
    assert_eq!(known.look_up(&asked, NOW - 1), Known::Nothing);
}

fn claims(venues_truncated: bool) -> AccessClaims {
    AccessClaims {
        iss: "i".to_owned(),
        aud: Audience::One("a".to_owned()),
        sub: Uuid::from_u128(1).to_string(),
        exp: NOW + 900,
        iat: NOW,
        nbf: None,
        jti: "j".to_owned(),
        client_id: None,
        sid: "s".to_owned(),
        tenant_id: Uuid::from_u128(7).to_string(),
        role: None,
        permissions: Vec::new(),
        venues: [(Uuid::from_u128(2).to_string(), roles(&["door-staff"]))].into(),
        venues_truncated,
        auth_time: None,
        amr: Vec::new(),
        acr: None,
    }
}

#[test]
fn only_a_truncated_token_leaves_a_question_open_and_only_about_venues_that_it_does_not_name() {
    let [named, unnamed] = [2, 3].map(|venue| Uuid::from_u128(venue).to_string());
    assert_eq!(Question::of(&claims(true), &unnamed), Some(question(1, 3, NOW)));
    assert_eq!(Question::of(&claims(true), &named), None);
    assert_eq!(Question::of(&claims(false), &unnamed), None);
}

proptest! {
    #[test]
    fn no_name_of_a_venue_is_asked_about_that_tokens_would_spell_otherwise(venue in any::<String>()) {
        prop_assert_eq!(Question::of(&claims(true), &venue), None);
    }

    #[test]
    fn what_is_kept_is_bounded_and_no_second_sees_more_questions_than_it_may(
        steps in proptest::collection::vec((0_u128..40, 0_u128..5000, 0_i64..3, 0..3), 0..400),
    ) {
        let mut known = VenueRoles::default();
        let mut asked: HashMap<(i64, u128), u32> = HashMap::new();
        let mut now = NOW;
        for (subject, venue, later, outcome) in steps {
            now += later;
            let question = question(subject, venue, NOW);
            if known.begin(&question, now) == Turn::Ask {
                *asked.entry((now, subject)).or_default() += 1;
                match outcome {
                    0 => known.answered(&question, Vec::new(), now),
                    1 => known.failed(&question, now),
                    _ => {}
                }
            }
            prop_assert!(known.young.len() <= MOST_ANSWERS && known.old.len() <= MOST_ANSWERS);
        }
        prop_assert!(asked.values().all(|count| *count <= MOST_FOR_SUBJECT));
    }
}
