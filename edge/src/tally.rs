//! What the limits of one request have said so far, and what its client is told of that.
//!
//! Invariants: a limit counts a request once, however often it is decided upon; what is told is
//! draft-ietf-httpapi-ratelimit-headers-11 with a count only where it is exact or used up.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::rc::Rc;

use portcullis_shared::gcra;
use portcullis_shared::limited::client_key;

use crate::policy::Limit;

/// How the policies of a route are told.
pub const RATE_LIMIT_POLICY: &str = "ratelimit-policy";
/// How counts are told.
pub const RATE_LIMIT: &str = "ratelimit";

/// What stands for all clients without an address. The platform gives an address to every request from outside, so these
/// come from Workers, or from nobody.
const NO_ADDRESS: &str = "none";
const MICROS: i64 = 1_000_000;

/// What a keeper says about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// It is within the limit; how far is not known.
    Within,
    /// It is within the limit.
    WithinBy {
        /// How many more may follow at once.
        remaining: u32,
        /// Seconds until the whole quota is free again, rounded up.
        reset: u32,
    },
    /// It is over the limit.
    Over {
        /// Seconds until another attempt makes sense, at least one.
        retry_after: u32,
    },
    /// The keeper did not answer.
    Unknown,
}

impl Count {
    /// What a rate-limit binding means by its answer. It does not say when its window ends; where it runs on this
    /// machine windows are aligned to the clock, and nowhere are they longer than that.
    #[must_use]
    pub fn of_binding(limit: &Limit, is_within: bool, now: i64) -> Self {
        if is_within {
            return Self::Within;
        }
        let window = i64::from(limit.quota.window_seconds.get());
        let left = window.saturating_sub(now.rem_euclid(window));
        Self::Over {
            retry_after: u32::try_from(left).unwrap_or(1).max(1),
        }
    }

    /// What an exact count comes to.
    #[must_use]
    pub fn of_verdict(verdict: gcra::Verdict) -> Self {
        let seconds = |micros: i64| {
            let whole = micros.saturating_add(MICROS - 1) / MICROS;
            u32::try_from(whole).unwrap_or(u32::MAX)
        };
        match verdict {
            gcra::Verdict::Taken {
                remaining, whole_in, ..
            } => Self::WithinBy {
                remaining,
                reset: seconds(whole_in),
            },
            gcra::Verdict::Exceeded { free_in } => Self::Over {
                retry_after: seconds(free_in).max(1),
            },
        }
    }
}

/// The counts of one request.
#[derive(Clone, Debug, Default)]
pub struct Tally(Vec<(Rc<Limit>, Count)>);

impl Tally {
    /// What a limit has said, if it was asked.
    #[must_use]
    pub fn of(&self, limit: &Limit) -> Option<Count> {
        let counted = self.0.iter().find(|(counted, _)| counted.number == limit.number);
        counted.map(|(_, count)| *count)
    }

    /// Notes what a limit says.
    pub fn note(&mut self, limit: &Rc<Limit>, count: Count) {
        self.0.push((Rc::clone(limit), count));
    }

    /// The value of `RateLimit`, with `over` as the limit that refuses the request and the seconds until it would not;
    /// `None` where there is no count to tell.
    #[must_use]
    pub fn announcement(&self, over: Option<(&Limit, u32)>) -> Option<String> {
        let mut told = String::new();
        let mut tell = |limit: &Limit, remaining: u32, reset: u32| {
            if !told.is_empty() {
                told.push_str(", ");
            }
            // Writing to a String does not fail.
            let _ = write!(told, "\"{}\";r={remaining};t={reset}", limit.name);
        };
        for (limit, count) in &self.0 {
            match count {
                Count::WithinBy { remaining, reset } => tell(limit, *remaining, *reset),
                Count::Within | Count::Over { .. } | Count::Unknown => {}
            }
        }
        if let Some((limit, retry_after)) = over {
            tell(limit, 0, retry_after);
        }
        (!told.is_empty()).then_some(told)
    }
}

/// A question to the keeper of a limit: whether one more request of this key is within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The limit.
    pub limit: Rc<Limit>,
    /// Who is counted, without the limit's name.
    pub who: String,
}

impl Question {
    /// What the requests that are counted together have in common. Names of limits have no colon.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}:{}", self.limit.name, self.who)
    }
}

/// What stands for the client of a request. `address` is what the platform says, from no other header; a text that is no
/// address is none.
#[must_use]
pub fn client_of(address: Option<&str>) -> String {
    let address = address.and_then(|address| address.parse::<IpAddr>().ok());
    address.map_or_else(|| NO_ADDRESS.to_owned(), client_key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Counted, Policy};
    use portcullis_shared::gcra::Verdict;

    fn limits() -> Vec<Rc<Limit>> {
        let policy = Policy::parse(
            r#"{"issuer": "i", "audience": "a", "limits": [
                {"name": "client", "by": "client", "limit": 100, "window_seconds": 60, "binding": "B"},
                {"name": "sign-in", "by": "client", "limit": 30, "window_seconds": 60, "exact": true}
            ], "routes": [{"path": "/x", "upstream": "app", "public": true, "limit": ["client", "sign-in"]}]}"#,
        );
        policy.unwrap().limits().cloned().collect()
    }

    #[test]
    fn what_a_binding_refuses_is_refused_to_the_end_of_its_window_at_most() {
        let limit = &limits()[0];
        assert_eq!(Count::of_binding(limit, true, 61), Count::Within);
        for (now, retry_after) in [(60, 60), (61, 59), (119, 1)] {
            assert_eq!(Count::of_binding(limit, false, now), Count::Over { retry_after });
        }
    }

    #[test]
    fn an_exact_wait_is_rounded_up() {
        for (free_in, retry_after) in [(1, 1), (MICROS, 1), (MICROS + 1, 2)] {
            let count = Count::of_verdict(Verdict::Exceeded { free_in });
            assert_eq!(count, Count::Over { retry_after });
        }
        let taken = Verdict::Taken {
            whole_at: 0,
            remaining: 3,
            whole_in: 1_500_000,
        };
        let within = Count::WithinBy {
            remaining: 3,
            reset: 2,
        };
        assert_eq!(Count::of_verdict(taken), within);
    }

    #[test]
    fn counts_are_told_where_they_are_exact_or_used_up() {
        let [client, sign_in] = &limits()[..] else {
            panic!("two limits")
        };
        let mut tally = Tally::default();
        assert_eq!(tally.announcement(None), None);
        tally.note(client, Count::Within);
        assert_eq!(tally.announcement(None), None);
        assert_eq!(
            tally.announcement(Some((client, 7))).as_deref(),
            Some("\"client\";r=0;t=7")
        );
        tally.note(
            sign_in,
            Count::WithinBy {
                remaining: 29,
                reset: 2,
            },
        );
        assert_eq!(tally.announcement(None).as_deref(), Some("\"sign-in\";r=29;t=2"));
        assert_eq!(tally.of(client), Some(Count::Within));
    }

    #[test]
    fn keys_of_different_limits_never_meet() {
        let [client, sign_in] = &limits()[..] else {
            panic!("two limits")
        };
        assert_eq!(client.by, Counted::Client);
        let key = |limit: &Rc<Limit>, who: &str| {
            let (limit, who) = (Rc::clone(limit), who.to_owned());
            Question { limit, who }.key()
        };
        assert_eq!(key(client, "192.0.2.1"), "client:192.0.2.1");
        assert_ne!(key(client, "x"), key(sign_in, "x"));
    }

    #[test]
    fn clients_without_an_address_share_one_count() {
        assert_eq!(client_of(None), client_of(Some("localhost")));
        assert_ne!(client_of(None), client_of(Some("192.0.2.1")));
        assert_eq!(client_of(Some("2001:db8::1")), client_of(Some("2001:db8::2")));
    }
}
