//! What led to an error, for a log line or an operator.

use std::error::Error;

/// The error and its sources on one line, outermost first. Displays in this project do not repeat their source.
#[must_use]
pub fn on_one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::fmt::Error);

    #[test]
    fn all_causes_are_named_once() {
        let inner = std::fmt::Error;
        assert_eq!(on_one_line(&Outer(inner)), format!("outer: {inner}"));
    }
}
