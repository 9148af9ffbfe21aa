//! A list that is read to a bound, and says whether it reached its end.

use serde::Serialize;

/// The first of a list, in the list's own order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excerpt<T> {
    /// What was read.
    pub items: Vec<T>,
    /// Whether that is all there is.
    pub complete: bool,
}

impl<T> Excerpt<T> {
    /// How many rows to ask for, so that [`first`](Self::first) can tell whether there are more than `most`.
    #[must_use]
    pub fn rows_to_ask_for(most: u16) -> i64 {
        i64::from(most) + 1
    }

    /// `most` of these rows, of which one more was asked for.
    #[must_use]
    pub fn first(mut rows: Vec<T>, most: u16) -> Self {
        let most = usize::from(most);
        let complete = rows.len() <= most;
        rows.truncate(most);
        Self {
            items: rows,
            complete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_complete_up_to_its_bound_and_cut_beyond_it() {
        assert_eq!(Excerpt::<u8>::rows_to_ask_for(2), 3);
        for (rows, items, complete) in [
            (vec![], vec![], true),
            (vec![1, 2], vec![1, 2], true),
            (vec![1, 2, 3], vec![1, 2], false),
        ] {
            assert_eq!(Excerpt::first(rows, 2), Excerpt { items, complete });
        }
    }
}
