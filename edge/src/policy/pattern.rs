//! Path patterns: fixed segments, `{parameter}` segments and one `/*` at the end.
//!
//! Invariant: of two patterns in one table either no path matches both, or one is strictly narrower than the
//! other; [`Pattern::relation`] finds the rest, and the table refuses them. So the narrower one always decides.

/// A parsed path pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    segments: Vec<Segment>,
    /// Ends in `/*`: matches the path with that slash and everything below it.
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Fixed(String),
    Parameter(String),
}

/// The case in which a text is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Same,
    Lower,
    Upper,
    Swapped,
}

impl Case {
    pub(super) const ALL: [Self; 4] = [Self::Same, Self::Lower, Self::Upper, Self::Swapped];

    const fn of(self, each: char) -> char {
        match self {
            Self::Same => each,
            Self::Swapped if each.is_ascii_uppercase() => each.to_ascii_lowercase(),
            Self::Lower => each.to_ascii_lowercase(),
            Self::Upper | Self::Swapped => each.to_ascii_uppercase(),
        }
    }
}

/// How the paths of one pattern lie to those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// No path matches both.
    Disjoint,
    /// They match the same paths.
    Same,
    /// The first matches a part of what the second matches.
    Narrower,
    /// The first matches all that the second matches, and more.
    Wider,
    /// Some paths match both, and each has paths of its own.
    Crossing,
}

impl Pattern {
    /// Parses `/fixed/{parameter}/*`. The error is a clause that says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix('/').ok_or("does not begin with a slash")?;
        let (rest, open) = match rest.strip_suffix('*') {
            Some("") => {
                return Ok(Self {
                    segments: Vec::new(),
                    open: true,
                });
            }
            Some(before) => (
                before
                    .strip_suffix('/')
                    .ok_or("has a * that is not a whole last segment")?,
                true,
            ),
            None => (rest, false),
        };
        let mut segments: Vec<Segment> = Vec::new();
        let mut pieces = rest.split('/').peekable();
        while let Some(piece) = pieces.next() {
            let is_last = pieces.peek().is_none();
            let segment = Segment::parse(piece, is_last && !open)?;
            if matches!(segment, Segment::Parameter(_)) && segments.contains(&segment) {
                return Err(format!("names {piece} twice"));
            }
            segments.push(segment);
        }
        Ok(Self { segments, open })
    }

    /// Whether the pattern matches `path`; `fold` compares fixed segments without regard to ASCII case.
    pub(crate) fn matches(&self, path: &str, fold: bool) -> bool {
        let Some(rest) = path.strip_prefix('/') else {
            return false;
        };
        let mut given = rest.split('/');
        for segment in &self.segments {
            let Some(given) = given.next() else { return false };
            let fits = match segment {
                Segment::Fixed(fixed) if fold => fixed.eq_ignore_ascii_case(given),
                Segment::Fixed(fixed) => fixed == given,
                Segment::Parameter(_) => !given.is_empty(),
            };
            if !fits {
                return false;
            }
        }
        given.next().is_some() == self.open
    }

    /// The position of a parameter among the segments, counted from 0.
    pub(crate) fn parameter(&self, name: &str) -> Option<usize> {
        self.segments
            .iter()
            .position(|segment| matches!(segment, Segment::Parameter(own) if own == name))
    }

    /// Compares the sets of paths the two match. Fixed segments that differ only in case count as crossing: an
    /// upstream that does not look at case would take one for the other.
    pub(crate) fn relation(&self, other: &Self) -> Relation {
        let (mut narrower, mut wider) = (false, false);
        for (own, other) in self.segments.iter().zip(&other.segments) {
            match (own, other) {
                (Segment::Fixed(a), Segment::Fixed(b)) if a == b => {}
                (Segment::Fixed(a), Segment::Fixed(b)) if a.eq_ignore_ascii_case(b) => {
                    (narrower, wider) = (true, true);
                }
                (Segment::Fixed(_), Segment::Fixed(_)) => return Relation::Disjoint,
                (Segment::Fixed(text), Segment::Parameter(_)) if !text.is_empty() => narrower = true,
                (Segment::Parameter(_), Segment::Fixed(text)) if !text.is_empty() => wider = true,
                // A parameter is never empty, so it does not match the empty last segment of `/docs/`.
                (Segment::Fixed(_), Segment::Parameter(_)) | (Segment::Parameter(_), Segment::Fixed(_)) => {
                    return Relation::Disjoint;
                }
                (Segment::Parameter(_), Segment::Parameter(_)) => {}
            }
        }
        match self.segments.len().cmp(&other.segments.len()) {
            std::cmp::Ordering::Equal if self.open != other.open => return Relation::Disjoint,
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Less if self.open => wider = true,
            std::cmp::Ordering::Greater if other.open => narrower = true,
            std::cmp::Ordering::Less | std::cmp::Ordering::Greater => return Relation::Disjoint,
        }
        match (narrower, wider) {
            (false, false) => Relation::Same,
            (true, false) => Relation::Narrower,
            (false, true) => Relation::Wider,
            (true, true) => Relation::Crossing,
        }
    }

    /// How many segments it spells out.
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// The number of characters of its longest fixed segment.
    pub(super) fn longest_fixed(&self) -> usize {
        let fixed = (0..self.len()).filter_map(|at| self.fixed(at));
        fixed.map(str::len).max().unwrap_or(0)
    }

    /// A path with `depth` more segments than the pattern. Where the pattern leaves a segment open, it is that of
    /// `like`, in that case, where that is fixed there, or else `filler`.
    pub(super) fn witness(&self, depth: usize, like: (Option<&Self>, Case), filler: &str) -> String {
        let (like, case) = like;
        let mut path = String::new();
        for at in 0..self.len().saturating_add(depth) {
            path.push('/');
            match (self.fixed(at), like.and_then(|like| like.fixed(at))) {
                (Some(own), _) => path.push_str(own),
                (None, Some(likewise)) => path.extend(likewise.chars().map(|each| case.of(each))),
                (None, None) => path.push_str(filler),
            }
        }
        path
    }

    fn fixed(&self, at: usize) -> Option<&str> {
        match self.segments.get(at)? {
            Segment::Fixed(text) => Some(text),
            Segment::Parameter(_) => None,
        }
    }

    /// Whether it ends in `/*`.
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    /// Whether it spells out the path before the `/*` of `folder`.
    pub(super) fn is_path_of(&self, folder: &Self) -> bool {
        let own = Self {
            segments: folder.segments.clone(),
            open: false,
        };
        self.relation(&own) == Relation::Same
    }

    /// Sorts narrower patterns before wider ones; patterns that share no path in any order.
    pub(crate) fn rank(&self) -> Vec<u8> {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Fixed(_) => 0,
            Segment::Parameter(_) => 1,
        });
        segments.chain(self.open.then_some(2)).collect()
    }
}

impl Segment {
    fn parse(piece: &str, may_be_empty: bool) -> Result<Self, String> {
        if let Some(name) = piece.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name
                    .chars()
                    .all(|each| each.is_ascii_alphanumeric() || each == '_');
            return if is_name {
                Ok(Self::Parameter(name.to_owned()))
            } else {
                Err(format!(
                    "has the parameter {piece}, whose name is not a letter and then letters, digits and _"
                ))
            };
        }
        if piece.is_empty() && !may_be_empty {
            return Err("has an empty segment, so no request can match it".to_owned());
        }
        if piece == "." || piece == ".." {
            return Err("has a dot segment, so no request can match it".to_owned());
        }
        match piece.chars().find(|each| !is_literal(*each)) {
            Some('{' | '}') => Err(format!("has a parameter that is not a whole segment: {piece}")),
            Some('*') => Err("has a * that is not the last segment".to_owned()),
            Some(other) => Err(format!("has the character {other:?}")),
            None => Ok(Self::Fixed(piece.to_owned())),
        }
    }
}

/// What a fixed segment may be written with: unreserved characters and those sub-delimiters that no server
/// gives a meaning (RFC 3986 §2). Anything else would have a second, percent-encoded spelling.
fn is_literal(each: char) -> bool {
    each.is_ascii_alphanumeric()
        || matches!(
            each,
            '-' | '.' | '_' | '~' | '!' | '$' | '&' | '(' | ')' | '+' | ',' | '=' | ':' | '@'
        )
}

#[cfg(test)]
mod tests {
    use super::{Pattern, Relation};
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn fixed_segments_match_exactly() {
        assert!(pattern("/api/echo").matches("/api/echo", false));
        for path in [
            "/api/echo/",
            "/api/Echo",
            "/api",
            "/api/echo/x",
            "/",
            "",
            "api/echo",
        ] {
            assert!(!pattern("/api/echo").matches(path, false), "{path}");
        }
        assert!(pattern("/api/echo").matches("/API/Echo", true));
        assert!(pattern("/").matches("/", false));
        assert!(pattern("/docs/").matches("/docs/", false));
    }

    #[test]
    fn a_parameter_matches_one_segment_that_is_not_empty() {
        let tickets = pattern("/api/venues/{venueId}/tickets");
        assert!(tickets.matches("/api/venues/1/tickets", false));
        assert!(!tickets.matches("/api/venues//tickets", false));
        assert!(!tickets.matches("/api/venues/1/2/tickets", false));
        assert_eq!(tickets.parameter("venueId"), Some(2));
        assert_eq!(tickets.parameter("id"), None);
    }

    #[test]
    fn an_open_end_matches_all_below_but_not_the_folder_itself() {
        let public = pattern("/api/public/*");
        for path in ["/api/public/", "/api/public/a", "/api/public/a/b/"] {
            assert!(public.matches(path, false), "{path}");
        }
        for path in ["/api/public", "/api/publicity", "/api"] {
            assert!(!public.matches(path, false), "{path}");
        }
        assert!(pattern("/*").matches("/", false));
        assert!(pattern("/*").matches("/a/b", false));
    }

    #[test]
    fn patterns_no_request_can_match_are_refused() {
        for text in [
            "", "api", "/a//b", "/a/../b", "/a/.", "/a*", "/*/a", "/a/*/b", "/{a}b", "/{}", "/{1a}",
            "/{a}/{a}", "/a%20b", "/a;b", "/é", "/a b", "/a?b", "/a#b", "/a\\b", "//",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn relations_are_found() {
        for (a, b, relation) in [
            ("/a", "/a", Relation::Same),
            ("/a/{x}", "/a/{y}", Relation::Same),
            ("/a", "/b", Relation::Disjoint),
            ("/a", "/a/", Relation::Disjoint),
            ("/a", "/a/b", Relation::Disjoint),
            ("/a/b", "/a/{x}", Relation::Narrower),
            ("/a/", "/a/{x}", Relation::Disjoint),
            ("/a/", "/a/*", Relation::Narrower),
            ("/a", "/a/*", Relation::Disjoint),
            ("/a/{x}", "/a/*", Relation::Narrower),
            ("/a/{x}/*", "/a/*", Relation::Narrower),
            ("/*", "/a", Relation::Wider),
            ("/a/{x}/c", "/a/b/{y}", Relation::Crossing),
            ("/{x}/c", "/a/*", Relation::Crossing),
            ("/Admin", "/admin", Relation::Crossing),
        ] {
            assert_eq!(pattern(a).relation(&pattern(b)), relation, "{a} {b}");
            let mirrored = match relation {
                Relation::Narrower => Relation::Wider,
                Relation::Wider => Relation::Narrower,
                other => other,
            };
            assert_eq!(pattern(b).relation(&pattern(a)), mirrored, "{b} {a}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), path in any::<String>()) {
            if let Ok(pattern) = Pattern::parse(&text) {
                pattern.matches(&path, true);
            }
        }

        #[test]
        fn relations_and_ranks_agree_with_matching(
            a in "(/[ab]|/\\{x\\}){1,3}(/\\*)?", b in "(/[ab]|/\\{x\\}){1,3}(/\\*)?", path in "(/[ab]?){1,4}",
        ) {
            let (Ok(a), Ok(b)) = (Pattern::parse(&a), Pattern::parse(&b)) else { return Ok(()) };
            let (in_a, in_b) = (a.matches(&path, false), b.matches(&path, false));
            match a.relation(&b) {
                Relation::Disjoint => prop_assert!(!(in_a && in_b)),
                Relation::Same => prop_assert_eq!(in_a, in_b),
                Relation::Narrower => {
                    prop_assert!(!in_a || in_b);
                    prop_assert!(a.rank() < b.rank());
                }
                Relation::Wider => prop_assert!(!in_b || in_a),
                Relation::Crossing => {}
            }
        }
    }
}
