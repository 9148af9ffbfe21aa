//! How hard a password is to guess, by zxcvbn.
//!
//! Estimating the strength of a text that was made for the purpose takes a hundred times as long as that of an
//! ordinary one. So it is done for a bounded part of the password, for one password at a time, and away from the
//! threads that serve requests; the caller limits how often somebody may ask.

use std::borrow::Cow;

use tokio::sync::Semaphore;
use zxcvbn::{Score, zxcvbn};

use crate::kernel::passwords::{HasherError, Password};

use super::UnfitPassword;

/// How much of either end of a password is looked at. A password that is strong in one part is strong.
const ESTIMATED_LENGTH: usize = 32;

/// Estimates that may wait or run; who comes after that is refused.
static PLACES: Semaphore = Semaphore::const_new(64);
/// Estimates that may run.
static RUNNING: Semaphore = Semaphore::const_new(1);

/// Tries a password against the rule, in its turn. `words` are those that a guesser who knows the
/// account would try first. The outer error is that there was no turn to be had.
pub(super) async fn check(
    password: Password,
    words: Vec<String>,
) -> Result<Result<(), UnfitPassword>, HasherError> {
    let place = PLACES.try_acquire().map_err(|_| HasherError::Overloaded)?;
    let turn = RUNNING.acquire().await.map_err(|_| HasherError::Failed)?;
    // The permits go with the work: a client that hangs up frees its place only when the work is done.
    tokio::task::spawn_blocking(move || {
        let _held = (place, turn);
        estimate(&password, &words)
    })
    .await
    .map_err(|_| HasherError::Failed)
}

fn estimate(password: &Password, words: &[String]) -> Result<(), UnfitPassword> {
    let text = without_words(password.expose(), words);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let beginning: String = text.chars().take(ESTIMATED_LENGTH).collect();
    let first = zxcvbn(&beginning, &words);
    if first.score() >= Score::Three {
        return Ok(());
    }
    let length = text.chars().count();
    if length > ESTIMATED_LENGTH {
        let end: String = text.chars().skip(length - ESTIMATED_LENGTH).collect();
        if zxcvbn(&end, &words).score() >= Score::Three {
            return Ok(());
        }
    }
    let advice = first.feedback().map(|feedback| {
        let warning = feedback.warning().map(|warning| warning.to_string());
        let suggestions = feedback.suggestions().iter().map(ToString::to_string);
        warning
            .into_iter()
            .chain(suggestions)
            .collect::<Vec<_>>()
            .join(" ")
    });
    Err(UnfitPassword::TooWeak(advice.unwrap_or_default()))
}

/// The password with each of the account's words put down to one character, which is about what such a word is
/// worth to somebody who knows it. zxcvbn sees words only if they lie within the part that is estimated; the
/// words of an account may be longer than that.
fn without_words<'p>(password: &'p str, words: &[String]) -> Cow<'p, str> {
    const SHORTEST_WORD: usize = 3;
    let lower = password.to_lowercase();
    let mut words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    words.retain(|word| word.chars().count() >= SHORTEST_WORD && lower.contains(word));
    if words.is_empty() {
        return Cow::Borrowed(password);
    }
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    Cow::Owned(words.iter().fold(lower, |text, word| text.replace(word, "*")))
}

#[cfg(test)]
mod tests {
    use super::super::check_length;
    use super::*;

    fn try_password(text: &str) -> Result<Password, UnfitPassword> {
        let password = check_length(&text.to_owned().into())?;
        let words = ["lovelace@example.com", "lovelace", "Augusta", "Lovelace"].map(str::to_owned);
        estimate(&password, &words).map(|()| password)
    }

    #[test]
    fn long_and_unlikely_passwords_are_taken() {
        for text in [
            "correct horse battery staple",
            "kV9#mQ2$wX7!",
            "парольнаястранность92",
            &"aB3$xY9!qP".repeat(12),
        ] {
            assert!(try_password(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn length_is_counted_in_code_points_after_composition() {
        // Eleven letters, of which one is written as a letter and a combining mark: twelve before NFC.
        assert_eq!(
            try_password("zu\u{308}rQk7mWvPx").unwrap_err(),
            UnfitPassword::TooShort
        );
        assert!(try_password("zürQk7mWvPx4").is_ok());
        assert_eq!(
            try_password(&"\u{1f600}".repeat(11)).unwrap_err(),
            UnfitPassword::TooShort
        );
    }

    #[test]
    fn a_password_of_128_characters_is_taken_and_of_129_refused() {
        let long: String = "kV9#mQ2$wX7!pL4&".chars().cycle().take(128).collect();
        assert!(try_password(&long).is_ok());
        assert_eq!(
            try_password(&format!("{long}x")).unwrap_err(),
            UnfitPassword::TooLong
        );
    }

    #[test]
    fn easily_guessed_passwords_are_refused_with_advice() {
        for text in [
            "password1234",
            "aaaaaaaaaaaa",
            "abcdefghijkl",
            "qwertyuiop12",
            "123456789012",
        ] {
            match try_password(text) {
                Err(UnfitPassword::TooWeak(advice)) => assert!(!advice.is_empty(), "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_words_of_the_account_do_not_make_a_password() {
        for text in [
            "lovelace@example.com",
            "AugustaLovelace",
            "lovelaceaugusta1",
            "LOVELACE-LOVELACE-7",
        ] {
            assert!(
                matches!(try_password(text), Err(UnfitPassword::TooWeak(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_long_word_of_the_account_does_not_either() {
        let local_part = "visitor-d117827df6814411bf782e49c8a9b622-d117827df6814411bf782e49";
        let words = [format!("{local_part}@example.com"), local_part.to_owned()];
        for text in [
            local_part.to_owned(),
            format!("x{local_part}9"),
            local_part.to_uppercase(),
        ] {
            let password = check_length(&text.clone().into()).unwrap();
            assert!(
                matches!(estimate(&password, &words), Err(UnfitPassword::TooWeak(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_password_with_a_short_name_in_it_may_still_be_strong() {
        let password = check_length(&"correct manning battery staple".to_owned().into()).unwrap();
        assert_eq!(estimate(&password, &["ann".to_owned(), "o".to_owned()]), Ok(()));
    }

    #[test]
    fn a_long_password_is_strong_if_either_end_is() {
        let strong = "kV9#mQ2$wX7!pL4&";
        assert!(try_password(&format!("{}{strong}", "a".repeat(100))).is_ok());
        assert!(try_password(&format!("{strong}{}", "a".repeat(100))).is_ok());
        assert!(try_password(&"a".repeat(128)).is_err());
    }

    #[tokio::test]
    async fn one_estimate_runs_at_a_time_and_no_more_than_so_many_wait() {
        let attempt = || check(Password::new(&"kV9#mQ2$wX7!".to_owned().into()), Vec::new());
        assert_eq!(attempt().await.unwrap(), Ok(()));
        let all = PLACES.acquire_many(64).await.unwrap();
        assert!(matches!(attempt().await, Err(HasherError::Overloaded)));
        drop(all);
        assert_eq!(attempt().await.unwrap(), Ok(()));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_makes_the_estimate_panic(text in "\\PC{12,40}") {
            let _outcome = try_password(&text);
        }
    }

    #[test]
    fn the_password_is_not_repeated_in_the_refusal() {
        let refusal = try_password("hunter2hunter2").unwrap_err();
        assert!(!refusal.to_string().contains("hunter2") && !format!("{refusal:?}").contains("hunter2"));
    }
}
