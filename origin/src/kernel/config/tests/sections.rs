//! Sections that have rules of their own.

use super::*;

#[test]
fn mistakes_in_mail_are_all_named() {
    let found = mistakes(&[
        ("PORTCULLIS__MAIL__TRANSPORT", "smtp"),
        ("PORTCULLIS__MAIL__FROM", "nobody"),
        ("PORTCULLIS__MAIL__REPLY_TO", "nobody either"),
        ("PORTCULLIS__MAIL__TLS", "none"),
        ("PORTCULLIS__MAIL__USER", "portcullis"),
        ("PORTCULLIS__MAIL__PASSWORD", "hunter2"),
        ("PORTCULLIS__MAIL__CA_FILE", "/nowhere/ca.pem"),
        ("PORTCULLIS__MAIL__FOLDER", "mail"),
    ]);
    let text = found.join("\n");
    for mistake in [
        "mail.host: is missing",
        "mail.from: must be an address",
        "mail.reply_to: must be an address",
        "mail.tls: must be `starttls` or `implicit`",
        "mail.ca_file: ",
        "[mail] has no setting `folder`",
    ] {
        assert!(text.contains(mistake), "{mistake}: {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(mistakes(&[("PORTCULLIS__MAIL__TRANSPORT", "pigeon")]).len(), 1);
}

#[test]
fn a_lockout_has_bounds() {
    let found = mistakes(&[
        ("PORTCULLIS__LOCKOUT__FAILURES_PER_ACCOUNT", "0"),
        ("PORTCULLIS__LOCKOUT__FAILURES_PER_CLIENT", "1001"),
        ("PORTCULLIS__LOCKOUT__WINDOW_MINUTES", "1441"),
        ("PORTCULLIS__LOCKOUT__LOCK_MINUTES", "0"),
        ("PORTCULLIS__LOCKOUT__ATTEMPTS", "5"),
        ("PORTCULLIS__LIMITS__PASSWORD_CHECKS_PER_15_MINUTES", "5"),
    ]);
    for setting in [
        "[limits] has no setting `password_checks_per_15_minutes`",
        "lockout.failures_per_account",
        "lockout.failures_per_client",
        "lockout.window_minutes",
        "lockout.lock_minutes",
        "[lockout] has no setting `attempts`",
    ] {
        assert!(
            found.iter().any(|mistake| mistake.contains(setting)),
            "{setting}: {found:?}"
        );
    }
    let config = with(&[
        ("PORTCULLIS__LOCKOUT__FAILURES_PER_ACCOUNT", "100"),
        ("PORTCULLIS__LOCKOUT__FAILURES_PER_CLIENT", "1000"),
    ]);
    assert_eq!(config.unwrap().lockout.failures_per_client, 1000);
}
