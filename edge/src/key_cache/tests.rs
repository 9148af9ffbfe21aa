use portcullis_shared::jwk::{JwkSet, RsaVerifyingKey};
use proptest::prelude::*;

use super::{
    FETCH_SECONDS, FRESH_SECONDS, KeyCache, LONGEST_MISS_SECONDS, Lookup, MAX_KID_BYTES, MAX_MISSES,
    MISS_BUDGET, MISS_REFILL_SECONDS, MISS_SECONDS, STALE_SECONDS, Settled,
};

const NOW: i64 = 1_800_000_000;

fn set(kids: &[&str]) -> JwkSet {
    let key = |kid: &&str| RsaVerifyingKey::from_components(kid, &[0xff; 256], &[1, 0, 1]).unwrap();
    JwkSet::from_keys(kids.iter().map(key).collect())
}

fn cache(kids: &[&str]) -> KeyCache {
    let mut cache = KeyCache::default();
    assert_eq!(cache.look_up("a", NOW), Lookup::Fetch);
    cache.fetched(set(kids), NOW);
    cache
}

fn finds(settled: &Settled<'_>) -> bool {
    matches!(settled, Settled::Key(key) if key.kid() == "a")
}

fn uses(lookup: &Lookup<'_>) -> bool {
    matches!(lookup, Lookup::Settled(settled) if finds(settled))
}

#[test]
fn a_fresh_set_is_used_without_a_fetch() {
    let mut cache = cache(&["a"]);
    assert!(finds(&cache.settle("a", NOW)));
    assert!(uses(&cache.look_up("a", NOW + FRESH_SECONDS - 1)));
    assert_eq!(cache.look_up("a", NOW + FRESH_SECONDS), Lookup::Fetch);
}

#[test]
fn a_key_is_at_hand_while_its_set_is_fresh_and_may_be_used() {
    let mut cache = cache(&["a"]);
    let is_at_hand = |cache: &KeyCache, kid, now| cache.at_hand(kid, now).is_some();
    assert!(is_at_hand(&cache, "a", NOW + FRESH_SECONDS - 1));
    assert!(!is_at_hand(&cache, "b", NOW));
    assert!(!is_at_hand(&cache, "a", NOW + FRESH_SECONDS));
    cache.require_version(1);
    assert!(!is_at_hand(&cache, "a", NOW), "a newer set must be used");
    assert!(!is_at_hand(&KeyCache::default(), "a", NOW));
}

#[test]
fn a_stale_set_is_used_while_it_cannot_be_renewed_and_not_past_an_hour() {
    let mut cache = cache(&["a"]);
    let stale = NOW + FRESH_SECONDS;
    assert_eq!(cache.look_up("a", stale), Lookup::Fetch);
    cache.failed(stale);
    assert!(finds(&cache.settle("a", stale)));
    assert!(
        uses(&cache.look_up("a", stale)),
        "no second fetch in the same second"
    );
    assert_eq!(cache.look_up("a", stale + 1), Lookup::Fetch);
    cache.failed(stale + 1);
    let last = NOW + STALE_SECONDS - 1;
    assert_eq!(cache.look_up("a", last), Lookup::Fetch);
    cache.failed(last);
    assert!(finds(&cache.settle("a", last)));
    assert_eq!(
        cache.settle("a", last + 1),
        Settled::Unavailable { retry_after: 3 }
    );
}

#[test]
fn while_one_request_renews_a_stale_set_the_others_use_it() {
    let mut cache = cache(&["a"]);
    let stale = NOW + FRESH_SECONDS;
    assert_eq!(cache.look_up("a", stale), Lookup::Fetch);
    assert!(uses(&cache.look_up("a", stale + 2)));
    assert_eq!(
        cache.look_up("a", stale + 3),
        Lookup::Fetch,
        "the first one may have been cancelled"
    );
}

#[test]
fn without_a_set_every_request_fetches_and_failures_are_spaced_out() {
    let mut cache = KeyCache::default();
    assert_eq!(cache.look_up("a", NOW), Lookup::Fetch);
    assert_eq!(cache.look_up("a", NOW), Lookup::Fetch);
    let mut at = NOW;
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        cache.failed(at);
        assert_eq!(
            cache.look_up("a", at),
            Lookup::Settled(Settled::Unavailable {
                retry_after: pause.try_into().unwrap()
            })
        );
        at += pause;
        assert_eq!(cache.look_up("a", at), Lookup::Fetch);
    }
    cache.fetched(set(&["a"]), at);
    assert!(finds(&cache.settle("a", at)));
}

#[test]
fn a_flood_of_invented_kids_costs_a_few_fetches_and_then_one_in_30_seconds() {
    let mut cache = cache(&["a"]);
    let mut fetches = Vec::new();
    // 20 a second, each another one, and each fetch brings the same set.
    for request in 0..20 * 10 * MISS_REFILL_SECONDS {
        let (kid, now) = (format!("invented-{request}"), NOW + request / 20);
        if cache.look_up(&kid, now) == Lookup::Fetch {
            fetches.push(now - NOW);
            cache.fetched(set(&["a"]), now);
            assert_eq!(cache.settle(&kid, now), Settled::Unknown);
        }
    }
    let at_once = usize::try_from(MISS_BUDGET).unwrap();
    let (first, later) = fetches.split_at(at_once);
    assert!(first.iter().all(|at| *at == 0), "{fetches:?}");
    let expected: Vec<i64> = (1..10).map(|n| n * MISS_REFILL_SECONDS).collect();
    assert_eq!(later, expected);
}

#[test]
fn a_budget_that_was_spent_grows_back_and_no_further() {
    let mut cache = cache(&["a"]);
    let mut in_vain = |at: i64| {
        let mut fetches = 0;
        // Fresh, so that no fetch is made because of its age.
        cache.fetched(set(&["a"]), at);
        for n in 0..2 * MISS_BUDGET {
            if cache.look_up(&format!("invented-{at}-{n}"), at) == Lookup::Fetch {
                cache.fetched(set(&["a"]), at);
                fetches += 1;
            }
        }
        fetches
    };
    assert_eq!(in_vain(NOW), MISS_BUDGET);
    assert_eq!(in_vain(NOW + 3 * MISS_REFILL_SECONDS - 1), 2);
    assert_eq!(
        in_vain(NOW + 3 * MISS_REFILL_SECONDS),
        1,
        "the parts of it add up"
    );
    assert_eq!(in_vain(NOW + 1000 * MISS_REFILL_SECONDS), MISS_BUDGET);
}

#[test]
fn keys_may_be_rotated_as_often_as_anybody_likes() {
    let mut cache = cache(&["key-0"]);
    for n in 1..10 * MISS_BUDGET {
        let (old, new) = (format!("key-{}", n - 1), format!("key-{n}"));
        assert_eq!(cache.look_up(&new, NOW + 1), Lookup::Fetch, "rotation {n}");
        cache.fetched(set(&[&old, &new]), NOW + 1);
        assert!(matches!(cache.settle(&new, NOW + 1), Settled::Key(_)));
        assert!(matches!(
            cache.look_up(&old, NOW + 1),
            Lookup::Settled(Settled::Key(_))
        ));
    }
}

#[test]
fn a_rotation_during_a_flood_is_noticed_when_the_budget_has_grown() {
    let mut cache = cache(&["a"]);
    for n in 0..=MISS_BUDGET {
        if cache.look_up(&format!("invented-{n}"), NOW) == Lookup::Fetch {
            cache.fetched(set(&["a"]), NOW);
        }
    }
    // The fetch is made for an invented one, and brings the new key all the same.
    let soon = NOW + MISS_REFILL_SECONDS;
    assert_eq!(cache.look_up("new", soon - 1), Lookup::Settled(Settled::Unknown));
    assert_eq!(cache.look_up("invented", soon), Lookup::Fetch);
    cache.fetched(set(&["a", "new"]), soon);
    assert!(matches!(
        cache.look_up("new", soon),
        Lookup::Settled(Settled::Key(_))
    ));
}

#[test]
fn while_one_request_fetches_for_an_unknown_kid_the_others_are_told_to_look_again() {
    for age in [1, FRESH_SECONDS] {
        let mut cache = cache(&["b"]);
        let now = NOW + age;
        assert_eq!(cache.look_up("a", now), Lookup::Fetch);
        assert_eq!(cache.look_up("a", now), Lookup::Wait);
        assert_eq!(cache.look_up("c", now), Lookup::Wait);
        assert!(
            matches!(cache.look_up("b", now), Lookup::Settled(Settled::Key(_))),
            "a key that is there needs no waiting"
        );
        cache.fetched(set(&["a", "b"]), now);
        assert!(uses(&cache.look_up("a", now)));
        assert_eq!(cache.look_up("c", now), Lookup::Fetch);
        assert_eq!(cache.look_up("c", now + FETCH_SECONDS - 1), Lookup::Wait);
        assert_eq!(
            cache.look_up("c", now + FETCH_SECONDS),
            Lookup::Fetch,
            "the first one may have been cancelled"
        );
    }
}

#[test]
fn a_kid_that_was_looked_for_in_vain_costs_no_fetch_for_longer_and_longer() {
    let mut cache = cache(&["a"]);
    let mut fetches = Vec::new();
    for second in 1..FRESH_SECONDS {
        let now = NOW + second;
        if cache.look_up("x", now) == Lookup::Fetch {
            fetches.push(second);
            cache.fetched(set(&["a"]), now);
            assert_eq!(cache.settle("x", now), Settled::Unknown);
        }
    }
    let pauses: Vec<i64> = fetches.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(fetches[0], 1);
    assert_eq!(pauses, [1, 2, 4, 8, 16].map(|times| times * MISS_SECONDS));
    assert_eq!(LONGEST_MISS_SECONDS, FRESH_SECONDS);

    cache.fetched(set(&["a", "x"]), NOW + FRESH_SECONDS);
    assert!(
        matches!(
            cache.look_up("x", NOW + FRESH_SECONDS),
            Lookup::Settled(Settled::Key(_))
        ),
        "a set that has it is believed at once"
    );
}

#[test]
fn a_set_older_than_the_required_version_is_not_used() {
    let old = || set(&["a"]).with_version(6);
    let mut cache = KeyCache::default();
    cache.fetched(old(), NOW);
    cache.require_version(6);
    assert!(uses(&cache.look_up("a", NOW)));

    cache.require_version(7);
    assert_eq!(cache.settle("a", NOW), Settled::Unavailable { retry_after: 1 });
    assert_eq!(cache.look_up("a", NOW), Lookup::Fetch);
    assert_eq!(cache.look_up("a", NOW), Lookup::Wait, "one fetch is enough");
    cache.fetched(old(), NOW);
    assert_eq!(cache.settle("a", NOW), Settled::Unavailable { retry_after: 1 });
    assert_eq!(
        cache.look_up("a", NOW),
        Lookup::Settled(Settled::Unavailable { retry_after: 1 }),
        "the origin is left alone for a moment"
    );
    assert_eq!(cache.look_up("a", NOW + 1), Lookup::Fetch);
    cache.failed(NOW + 1);
    assert_eq!(
        cache.look_up("a", NOW + 1),
        Lookup::Settled(Settled::Unavailable { retry_after: 2 })
    );
    assert_eq!(cache.look_up("a", NOW + 3), Lookup::Fetch);
    cache.fetched(set(&["a"]).with_version(7), NOW + 3);
    assert!(uses(&cache.look_up("a", NOW + 3)));
}

#[test]
fn a_removed_key_is_unknown_once_the_set_without_it_is_there() {
    let mut cache = KeyCache::default();
    cache.fetched(set(&["a", "b"]).with_version(6), NOW);
    cache.require_version(7);
    assert_eq!(cache.look_up("a", NOW), Lookup::Fetch);
    cache.fetched(set(&["b"]).with_version(7), NOW);
    assert_eq!(cache.settle("a", NOW), Settled::Unknown);
    assert!(matches!(
        cache.look_up("b", NOW),
        Lookup::Settled(Settled::Key(_))
    ));
}

#[test]
fn an_origin_that_has_not_heard_of_a_key_yet_does_not_take_it_away_again() {
    let mut cache = KeyCache::default();
    cache.fetched(set(&["a", "b"]).with_version(7), NOW);
    assert_eq!(cache.look_up("c", NOW + 1), Lookup::Fetch);
    cache.fetched(set(&["b"]).with_version(6), NOW + 1);
    assert!(uses(&cache.look_up("a", NOW + 1)));
    // An origin that was set back to an older copy of its database is believed in the end.
    assert_eq!(cache.look_up("a", NOW + FRESH_SECONDS), Lookup::Fetch);
    cache.fetched(set(&["b"]).with_version(6), NOW + FRESH_SECONDS);
    assert_eq!(cache.settle("a", NOW + FRESH_SECONDS), Settled::Unknown);
}

#[test]
fn the_origin_is_told_what_is_lacking() {
    let mut cache = KeyCache::default();
    cache.fetched(set(&["a"]).with_version(6), NOW);
    for (kid, query) in [
        ("a", None),
        ("x-Y_0.~", Some("kid=x-Y_0.~")),
        ("", None),
        ("a&version=9", None),
        ("a b", None),
        ("%41", None),
        (
            &"k".repeat(MAX_KID_BYTES),
            Some(&*format!("kid={}", "k".repeat(MAX_KID_BYTES))),
        ),
        (&"k".repeat(MAX_KID_BYTES + 1), None),
    ] {
        assert_eq!(cache.query(kid).as_deref(), query, "{kid}");
    }
    cache.require_version(7);
    assert_eq!(cache.query("x").as_deref(), Some("kid=x&version=7"));
    assert_eq!(cache.query("a b").as_deref(), Some("version=7"));
}

#[test]
fn a_new_key_is_found_by_the_fetch_for_its_kid() {
    let mut cache = cache(&["b"]);
    assert_eq!(cache.look_up("a", NOW + 5), Lookup::Fetch);
    cache.fetched(set(&["a", "b"]), NOW + 5);
    assert!(finds(&cache.settle("a", NOW + 5)));
}

#[test]
fn the_memory_of_misses_is_bounded() {
    let mut cache = cache(&["a"]);
    for n in 0..MAX_MISSES * 3 {
        cache.fetched(set(&["a"]), NOW);
        assert_eq!(cache.settle(&format!("invented-{n}"), NOW), Settled::Unknown);
    }
    assert_eq!(cache.settle(&"long".repeat(1000), NOW), Settled::Unknown);
    assert_eq!(cache.misses.len(), MAX_MISSES);
}

#[test]
fn keys_that_are_gone_are_not_contained() {
    let cache = cache(&["a"]);
    assert!(set(&["a"]).keys().all(|key| cache.contains(key)));
    assert!(!set(&["b"]).keys().any(|key| cache.contains(key)));
}

proptest! {
    #[test]
    fn whatever_happens_a_set_is_never_used_past_an_hour_nor_below_the_required_version(
        steps in proptest::collection::vec((0_u8..5, 0_i64..2000, "[a-c]", 0_u64..3), 1..60),
    ) {
        let mut cache = KeyCache::default();
        let (mut now, mut held, mut minimum) = (NOW, None::<(i64, u64)>, 0);
        for (step, seconds, kid, version) in steps {
            now += seconds;
            let is_usable = held.is_some_and(|(at, version)| now - at < STALE_SECONDS && version >= minimum);
            match step {
                0 => {
                    cache.fetched(set(&["a"]).with_version(version), now);
                    if held.is_none_or(|(at, known)| version >= known || now - at >= FRESH_SECONDS) {
                        held = Some((now, version));
                    }
                }
                1 => cache.failed(now),
                2 => {
                    let is_unavailable = matches!(cache.settle(&kid, now), Settled::Unavailable { .. });
                    prop_assert_eq!(is_unavailable, !is_usable);
                }
                3 => {
                    minimum = version;
                    cache.require_version(minimum);
                }
                _ => {
                    if let Lookup::Settled(Settled::Key(key)) = cache.look_up(&kid, now) {
                        prop_assert_eq!(key.kid(), "a");
                        prop_assert!(is_usable);
                    }
                }
            }
        }
    }
}
