use portcullis_shared::jwk::{JwkSet, RsaVerifyingKey};
use proptest::prelude::*;

use super::{
    FRESH_SECONDS, KeyCache, Lookup, MAX_MISSES, MISS_PAUSE_SECONDS, MISS_SECONDS, STALE_SECONDS, Settled,
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
fn an_unknown_kid_costs_one_fetch_in_30_seconds_and_then_fewer() {
    let mut cache = cache(&["a"]);
    let mut fetches = Vec::new();
    for second in 0..FRESH_SECONDS {
        let kid = format!("invented-{second}");
        if cache.look_up(&kid, NOW + second) == Lookup::Fetch {
            fetches.push(second);
            // The set stays as old as it is, so that the 5 minutes last.
            assert_eq!(cache.settle(&kid, NOW + second), Settled::Unknown);
        }
    }
    assert_eq!(
        fetches,
        [
            0,
            MISS_PAUSE_SECONDS,
            3 * MISS_PAUSE_SECONDS,
            7 * MISS_PAUSE_SECONDS
        ]
    );
}

#[test]
fn a_kid_that_was_looked_for_in_vain_costs_no_fetch_for_5_minutes() {
    let mut cache = cache(&["a"]);
    assert_eq!(cache.look_up("x", NOW + 10), Lookup::Fetch);
    cache.fetched(set(&["a"]), NOW + 10);
    assert_eq!(cache.settle("x", NOW + 10), Settled::Unknown);
    assert_eq!(
        cache.look_up("x", NOW + 60),
        Lookup::Settled(Settled::Unknown),
        "it is remembered"
    );
    assert_eq!(cache.look_up("y", NOW + 60), Lookup::Fetch, "another one is not");
    cache.fetched(set(&["a", "x"]), NOW + 61);
    assert!(
        matches!(cache.look_up("x", NOW + 62), Lookup::Settled(Settled::Key(_))),
        "a set that has it is believed at once"
    );
    assert_eq!(MISS_SECONDS, FRESH_SECONDS);
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
    fn whatever_happens_a_set_is_never_used_past_an_hour(
        steps in proptest::collection::vec((0_u8..4, 0_i64..2000, "[a-c]"), 1..60),
    ) {
        let mut cache = KeyCache::default();
        let (mut now, mut fetched_at) = (NOW, None);
        for (step, seconds, kid) in steps {
            now += seconds;
            match step {
                0 => {
                    cache.fetched(set(&["a"]), now);
                    fetched_at = Some(now);
                }
                1 => cache.failed(now),
                2 => {
                    let is_unavailable = matches!(cache.settle(&kid, now), Settled::Unavailable { .. });
                    let is_usable = fetched_at.is_some_and(|at| now - at < STALE_SECONDS);
                    prop_assert_eq!(is_unavailable, !is_usable);
                }
                _ => {
                    if let Lookup::Settled(Settled::Key(key)) = cache.look_up(&kid, now) {
                        prop_assert_eq!(key.kid(), "a");
                        prop_assert!(fetched_at.is_some_and(|at| now - at < STALE_SECONDS));
                    }
                }
            }
        }
    }
}
