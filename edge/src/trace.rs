//! What was done for a request until it was decided upon, to be told when it ends.
//!
//! Invariant: a trace fits into one number. While an upstream is waited for, what belongs to a request lies on the
//! JavaScript side, where a number costs next to nothing; an object would cost as much as a header.

use crate::policy::METHODS;

/// How the verdict on a request's token was come by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// There was none: no token was presented, or it never came to a verdict.
    #[default]
    None,
    /// An earlier request had it verified.
    Cached,
    /// It was given for this request.
    Verified,
}

impl Verdict {
    const ALL: [Self; 3] = [Self::None, Self::Cached, Self::Verified];

    /// Its name in log and counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Cached => "cached",
            Self::Verified => "verified",
        }
    }
}

/// Something that a decision may have to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// What was revoked lately.
    Revocations,
    /// The verdict on a token, its key included.
    Token,
    /// A refreshed session.
    Session,
    /// The keeper of a rate limit.
    Limits,
    /// What is held at a venue that the token does not name.
    Venue,
}

impl Round {
    const ALL: [Self; 5] = [
        Self::Revocations,
        Self::Token,
        Self::Session,
        Self::Limits,
        Self::Venue,
    ];

    /// Its name in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revocations => "revocations",
            Self::Token => "token",
            Self::Session => "session",
            Self::Limits => "limits",
            Self::Venue => "venue",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Revocations => 1,
            Self::Token => 2,
            Self::Session => 4,
            Self::Limits => 8,
            Self::Venue => 16,
        }
    }
}

/// A set of [`Round`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rounds(u8);

impl Rounds {
    /// The same with one more.
    #[must_use]
    pub const fn and(self, round: Round) -> Self {
        Self(self.0 | round.bit())
    }

    /// The names of those that there were.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Round::ALL
            .into_iter()
            .filter(move |round| self.0 & round.bit() != 0)
            .map(Round::as_str)
    }
}

/// What was done for one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    method: u16,
    /// How the verdict on its token was come by.
    pub verdict: Verdict,
    /// What was waited for.
    pub rounds: Rounds,
    /// See [`crate::decide::Pass::stale`]; 0 where that is nothing, at most [`Trace::MOST_STALE`].
    pub stale: u16,
    /// From its arrival until it was decided upon, in milliseconds; at most [`Trace::MOST_MS`].
    pub edge_ms: u16,
    route: u16,
}

const METHOD_BITS: u32 = 3;
const VERDICT_BITS: u32 = 2;
const ROUNDS_BITS: u32 = 6;
const STALE_BITS: u32 = 12;
const EDGE_MS_BITS: u32 = 15;
const ROUTE_BITS: u32 = 12;

impl Trace {
    /// The greatest age that is told, in seconds: longer than a token lives.
    pub const MOST_STALE: u16 = (1 << STALE_BITS) - 1;
    /// The longest time that is told, in milliseconds: longer than all that a decision waits for.
    pub const MOST_MS: u16 = (1 << EDGE_MS_BITS) - 1;
    /// The greatest route number that is told; the platform's limit on a variable is far below.
    const MOST_ROUTE: u16 = (1 << ROUTE_BITS) - 1;

    /// Of a request with this method of which nothing else is known.
    #[must_use]
    pub fn of(method: &str) -> Self {
        // There are fewer than eight, and the one after the last stands for all that the edge does not know.
        let at = METHODS.iter().position(|known| *known == method);
        Self {
            method: u16::try_from(at.unwrap_or(METHODS.len())).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// The method; `-` for one that the edge does not know, since it may be anything.
    #[must_use]
    pub fn method(self) -> &'static str {
        METHODS.get(usize::from(self.method)).copied().unwrap_or("-")
    }

    /// The number of the route that let it pass; 0 where none did.
    #[must_use]
    pub fn route(self) -> usize {
        self.route.into()
    }

    /// The same with how the verdict on its token was come by, and what was waited for.
    #[must_use]
    pub const fn after(self, verdict: Verdict, rounds: Rounds) -> Self {
        Self {
            verdict,
            rounds,
            ..self
        }
    }

    /// The same with the time that it took to decide, and with how old the knowledge was that it passes upon.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and time that ran backwards is none"
    )]
    pub fn decided(self, edge_ms: f64, stale: Option<i64>) -> Self {
        let stale = u16::try_from(stale.unwrap_or_default().max(0)).unwrap_or(u16::MAX);
        Self {
            edge_ms: (edge_ms as u16).min(Self::MOST_MS),
            stale: stale.min(Self::MOST_STALE),
            ..self
        }
    }

    /// The same with the number of the route that lets it pass.
    #[must_use]
    pub fn by(self, route: usize) -> Self {
        let route = u16::try_from(route).unwrap_or(u16::MAX).min(Self::MOST_ROUTE);
        Self { route, ..self }
    }

    /// The trace as a number that JavaScript keeps exactly.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "50 bits, of the 53 that are exact")]
    pub fn to_number(self) -> f64 {
        let mut packed = u64::from(self.method);
        for (bits, value) in [
            (VERDICT_BITS, self.verdict as u16),
            (ROUNDS_BITS, self.rounds.0.into()),
            (STALE_BITS, self.stale),
            (EDGE_MS_BITS, self.edge_ms),
            (ROUTE_BITS, self.route),
        ] {
            packed = (packed << bits) | u64::from(value);
        }
        packed as f64
    }

    /// The trace that [`Trace::to_number`] made a number of.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "each value is cut to its bits"
    )]
    pub fn of_number(number: f64) -> Self {
        let mut packed = number as u64;
        let mut take = |bits: u32| {
            let value = packed & ((1 << bits) - 1);
            packed >>= bits;
            value as u16
        };
        let route = take(ROUTE_BITS);
        let edge_ms = take(EDGE_MS_BITS);
        let stale = take(STALE_BITS);
        let rounds = Rounds(take(ROUNDS_BITS) as u8);
        let verdict = usize::from(take(VERDICT_BITS));
        Self {
            method: take(METHOD_BITS),
            verdict: Verdict::ALL.get(verdict).copied().unwrap_or_default(),
            rounds,
            stale,
            edge_ms,
            route,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Round, Rounds, Trace, Verdict};
    use crate::policy::METHODS;

    #[test]
    fn a_method_that_the_edge_does_not_know_is_not_repeated() {
        assert_eq!(Trace::of("DELETE").method(), "DELETE");
        assert_eq!(Trace::of("secret").method(), "-");
        assert_eq!(Trace::default().decided(-1.0, Some(-1)), Trace::default());
        let late = Trace::default().decided(1e9, Some(1_000_000));
        assert_eq!((late.edge_ms, late.stale), (Trace::MOST_MS, Trace::MOST_STALE));
        assert_eq!(
            Trace::default().by(usize::MAX).route(),
            usize::from(Trace::MOST_ROUTE)
        );
    }

    #[test]
    fn rounds_are_named_in_their_order_and_once() {
        let rounds = [Round::Session, Round::Token, Round::Revocations, Round::Token]
            .into_iter()
            .fold(Rounds::default(), Rounds::and);
        assert_eq!(
            rounds.names().collect::<Vec<_>>(),
            ["revocations", "token", "session"]
        );
        assert_eq!(Rounds::default().names().count(), 0);
    }

    proptest! {
        #[test]
        fn a_trace_survives_as_a_number(
            method in 0..=METHODS.len(), verdict in 0..3_usize, rounds in 0..64_u8, stale in any::<i64>(), edge_ms in any::<f64>(),
            route in any::<usize>(),
        ) {
            let trace = Trace::of(METHODS.get(method).unwrap_or(&"-"))
                .after(Verdict::ALL[verdict], Rounds(rounds))
                .decided(edge_ms, Some(stale))
                .by(route);
            let number = trace.to_number();
            prop_assert!((0.0..9_007_199_254_740_992.0).contains(&number));
            prop_assert_eq!(Trace::of_number(number), trace);
        }

        #[test]
        fn no_number_makes_it_panic(number in any::<f64>()) {
            let _ = Trace::of_number(number).method();
        }
    }
}
