//! The rules of composition of the service that was here before. They are off by default: people answer them with
//! `Password1!`, and NIST SP 800-63B-4 §3.1.1.2 forbids them. Some operators are bound to them all the same.

/// How often one character may stand in a row.
const MOST_REPEATS: usize = 2;

/// What a password lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// No letter in upper case.
    #[error("must have a letter in upper case")]
    UpperCase,
    /// No letter in lower case.
    #[error("must have a letter in lower case")]
    LowerCase,
    /// No digit.
    #[error("must have a digit")]
    Digit,
    /// Nothing that is neither a letter nor a digit nor a space.
    #[error("must have a character that is neither a letter nor a digit")]
    Special,
    /// One character three times in a row.
    #[error("must not have a character three times in a row")]
    Repeats,
}

/// Tries a text against the rules, of any script.
pub(super) fn check(text: &str) -> Result<(), Lack> {
    let has = |rule: fn(char) -> bool| text.chars().any(rule);
    let is_special = |each: char| !each.is_alphanumeric() && !each.is_whitespace();
    if !has(char::is_uppercase) {
        Err(Lack::UpperCase)
    } else if !has(char::is_lowercase) {
        Err(Lack::LowerCase)
    } else if !has(char::is_numeric) {
        Err(Lack::Digit)
    } else if !has(is_special) {
        Err(Lack::Special)
    } else if repeats(text) > MOST_REPEATS {
        Err(Lack::Repeats)
    } else {
        Ok(())
    }
}

/// The length of the longest run of one character.
fn repeats(text: &str) -> usize {
    let (mut longest, mut run, mut last) = (0_usize, 0_usize, None);
    for each in text.chars() {
        run = if last == Some(each) {
            run.saturating_add(1)
        } else {
            1
        };
        longest = longest.max(run);
        last = Some(each);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_with_all_that_is_asked_for_is_taken() {
        for text in ["kV9#mQ2$wX7!", "Ключ-от-дома-7", "Aa1-Aa1-Aa1-", "aaBB11--aaBB"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_lacking_is_named() {
        for (text, lack) in [
            ("kv9#mq2$wx7!", Lack::UpperCase),
            ("KV9#MQ2$WX7!", Lack::LowerCase),
            ("kV-#mQ-$wX-!", Lack::Digit),
            ("kV9 mQ2 wX7 p", Lack::Special),
            ("kV9#mQ2$wX7!!!", Lack::Repeats),
        ] {
            assert_eq!(check(text), Err(lack), "{text}");
        }
    }
}
