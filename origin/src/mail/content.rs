//! What letters say: each stands here once, and is set as text and as HTML by the same two templates.

use crate::kernel::time::{TimeDelta, Timestamp};

use super::model::{Lock, Opening, Topic};

mod factors;

/// One letter, before it is set.
pub(super) struct Content {
    pub(super) subject: String,
    pub(super) heading: String,
    pub(super) blocks: Vec<Block>,
}

/// A part of a letter.
pub(super) enum Block {
    /// A paragraph.
    Text(String),
    /// When it happened, from where, and on which device; as much of it as is known.
    Facts,
    /// What to do in a case that the reader recognises.
    Advice {
        /// The case.
        case: &'static str,
        /// What to do.
        text: String,
    },
    /// Something to be opened.
    Action {
        /// What it does.
        label: &'static str,
        /// A link that is good once.
        url: String,
    },
    /// Something to be typed elsewhere, in groups that are easy to read.
    Code(String),
}

fn text(text: impl Into<String>) -> Block {
    Block::Text(text.into())
}

fn advice(case: &'static str, text: impl Into<String>) -> Block {
    Block::Advice {
        case,
        text: text.into(),
    }
}

/// In whose name letters are written, and what their readers can rely on.
pub(super) struct House<'a> {
    pub(super) tenant: &'a str,
    /// Whom readers may ask.
    pub(super) support: Option<&'a str>,
    /// How long an account is kept that was given up.
    pub(super) purge_after: TimeDelta,
}

/// Writes about a topic in the name of a house.
pub(super) fn content(topic: &Topic<'_>, house: &House<'_>, now: Timestamp) -> Content {
    let tenant = house.tenant;
    match topic {
        Topic::SessionEndedByReuse => session_ended_by_reuse(tenant),
        Topic::VerifyEmail(opening) => verify_email(tenant, *opening, now),
        Topic::AlreadyRegistered => already_registered(tenant),
        Topic::SignInLocked(lock) => sign_in_locked(tenant, *lock),
        Topic::ResetPassword(opening) => reset_password(tenant, *opening, now),
        Topic::AccountDeleted => account_deleted(house),
        Topic::PasswordReset => password_reset(tenant),
        Topic::PasswordChanged => password_changed(tenant),
        Topic::NewSignIn => new_sign_in(tenant),
        Topic::SignInCode(opening) => factors::sign_in_code(tenant, *opening, now),
        Topic::MfaChanged(change) => factors::mfa_changed(tenant, change),
        Topic::BackupCodesLow(left) => factors::backup_codes_low(tenant, *left),
    }
}

fn session_ended_by_reuse(tenant: &str) -> Content {
    Content {
        subject: format!("You were signed out of {tenant}"),
        heading: "You were signed out on one device".to_owned(),
        blocks: vec![
            text(format!(
                "A sign-in of yours to {tenant} was used twice: by your device, and once more with an old copy of its key. To \
                 be safe, we ended that sign-in for both. Your other devices stay signed in."
            )),
            Block::Facts,
            advice(
                "If you know this device",
                "sign in again. This can happen when an app was restored from a backup.",
            ),
            advice(
                "If you do not",
                "somebody may have copied your sign-in. They are signed out now. Change your password, and look for software on \
                 your device that should not be there.",
            ),
        ],
    }
}

fn verify_email(tenant: &str, opening: Opening<'_>, now: Timestamp) -> Content {
    let lasting = lasting(opening.expires_at - now);
    Content {
        subject: format!("Confirm your address for {tenant}"),
        heading: "Is this your address?".to_owned(),
        blocks: vec![
            text(format!(
                "Somebody, probably you, has registered with {tenant} and given this address. Please confirm that it is yours. The \
                 link is good once, and for {lasting}."
            )),
            Block::Action {
                label: "Confirm this address",
                url: opening.secret.to_owned(),
            },
            advice(
                "If you have not registered",
                "do nothing. The address stays unconfirmed.",
            ),
        ],
    }
}

fn already_registered(tenant: &str) -> Content {
    Content {
        subject: format!("You already have an account with {tenant}"),
        heading: "You have an account already".to_owned(),
        blocks: vec![
            text(format!(
                "Somebody has tried to register with {tenant} and has given this address, which belongs to your account. Nothing \
                 was changed, and they were not told that there is an account."
            )),
            Block::Facts,
            advice(
                "If it was you",
                "sign in with your password. If you have forgotten it, ask for a new one where you sign in.",
            ),
            advice("If it was not", "there is nothing to do."),
        ],
    }
}

fn sign_in_locked(tenant: &str, lock: Lock<'_>) -> Content {
    // Nobody should come back a moment too early.
    let until = moment(lock.until + TimeDelta::seconds(59));
    if lock.of == "factor" {
        return factors::codes_locked(tenant, &until);
    }
    let (what, who) = match lock.of {
        "holder" => (
            format!(
                "Somebody who is signed in to your account with {tenant} has named a wrong current password, or a wrong code, too often. Until \
                 {until} nothing can be changed that asks for either."
            ),
            "somebody may use your device, or a copy of your sign-in. Ask for a new password where you sign in: all devices are signed \
             out by it.",
        ),
        "device" => (
            format!(
                "A device that you have signed in with before was used with too many wrong passwords for your account with {tenant}. \
                 Until {until} nobody signs in on it, not even with the right password."
            ),
            "somebody may use your device. Nobody has got in. Ask for a new password where you sign in if you are in doubt.",
        ),
        _ => (
            format!(
                "Somebody has tried too many wrong passwords for your account with {tenant}. Until {until} nobody signs in from a \
                 device that the account does not know, not even with the right password. Devices that you have signed in with before \
                 go on as ever."
            ),
            "nobody has got in. Choose a new password if yours is short, or if you use it elsewhere too.",
        ),
    };
    Content {
        subject: format!("Too many wrong passwords for {tenant}"),
        heading: "Your account is locked for a while".to_owned(),
        blocks: vec![
            text(what),
            Block::Facts,
            advice(
                "If it was you",
                "wait until then, or ask for a new password where you sign in, which ends the lock at once.",
            ),
            advice("If it was not", who),
        ],
    }
}

fn reset_password(tenant: &str, opening: Opening<'_>, now: Timestamp) -> Content {
    let lasting = lasting(opening.expires_at - now);
    Content {
        subject: format!("Choose a new password for {tenant}"),
        heading: "Choose a new password".to_owned(),
        blocks: vec![
            text(format!(
                "Somebody, probably you, has said that they have forgotten the password of your account with {tenant}. Here you \
                 can choose a new one. The link is good once, and for {lasting}; a newer one puts an end to it."
            )),
            Block::Action {
                label: "Choose a new password",
                url: opening.secret.to_owned(),
            },
            advice(
                "If it was not you",
                "do nothing: your password stays what it is. Do not give this link to anybody.",
            ),
        ],
    }
}

fn account_deleted(house: &House<'_>) -> Content {
    let tenant = house.tenant;
    let kept = counted(house.purge_after.num_days(), "day");
    let support = house.support.map_or_else(
        || format!("to the support of {tenant}"),
        |address| format!("to {address}"),
    );
    Content {
        subject: format!("Your account with {tenant} is closed"),
        heading: "Your account is closed".to_owned(),
        blocks: vec![
            text(format!(
                "Your account with {tenant} was deleted, as somebody has asked who was signed in and knew its password. All devices were \
                 signed out."
            )),
            Block::Facts,
            text(format!(
                "What we know of you is kept for {kept}, so that a mistake can be mended, and is then erased for good. Until then nobody \
                 can register with this address."
            )),
            advice("If it was you", "there is nothing to do. We wish you well."),
            advice(
                "If it was not, or was a mistake",
                format!(
                    "write {support} within these {kept}: until then the account can be brought back. If it was not you, do so \
                     at once, since somebody knows your password."
                ),
            ),
        ],
    }
}

fn password_reset(tenant: &str) -> Content {
    Content {
        subject: format!("Your password for {tenant} is a new one"),
        heading: "A new password was chosen".to_owned(),
        blocks: vec![
            text(format!(
                "The password of your account with {tenant} was replaced with a link that we had sent to this address. All \
                 devices were signed out. A second factor, if you have one, is as it was."
            )),
            Block::Facts,
            advice("If it was you", "there is nothing to do."),
            advice(
                "If it was not",
                "somebody reads your mail. Secure your mailbox first, and then ask for a new password once more.",
            ),
        ],
    }
}

fn password_changed(tenant: &str) -> Content {
    Content {
        subject: format!("Your password for {tenant} was changed"),
        heading: "Your password was changed".to_owned(),
        blocks: vec![
            text(format!(
                "The password of your account with {tenant} was changed by somebody who was signed in and knew the old one. Your \
                 other devices were signed out."
            )),
            Block::Facts,
            advice("If it was you", "there is nothing to do."),
            advice(
                "If it was not",
                "somebody knows your old password. Ask for a new one at once where you sign in, and change it wherever else you use it.",
            ),
        ],
    }
}

fn new_sign_in(tenant: &str) -> Content {
    Content {
        subject: format!("A new sign-in to {tenant}"),
        heading: "Was this you?".to_owned(),
        blocks: vec![
            text(format!(
                "Somebody has signed in to your account with {tenant}, with your password, on a device that we do not know. From now on \
                 we know it."
            )),
            Block::Facts,
            advice(
                "If it was you",
                "there is nothing to do. A browser that deletes its cookies, and one in a private window, is new each time.",
            ),
            advice(
                "If it was not",
                "somebody knows your password. Ask for a new one at once where you sign in: that signs all devices out and forgets \
                 them. Change it wherever else you use it.",
            ),
        ],
    }
}

/// `26 November 2026, 09:30 UTC`.
pub(super) fn moment(moment: Timestamp) -> String {
    moment.format("%-d %B %Y, %H:%M UTC").to_string()
}

/// `24 hours`, `1 hour`, `59 minutes`. A mail that is written seconds after its ticket says what the ticket was issued for; beyond that
/// it is rounded down, since nobody should be told more than there is.
fn lasting(left: TimeDelta) -> String {
    let minutes = (left + TimeDelta::seconds(30)).num_minutes().max(1);
    let hours = minutes / 60;
    let (number, unit) = if hours >= 1 {
        (hours, "hour")
    } else {
        (minutes, "minute")
    };
    counted(number, unit)
}

fn counted(number: i64, unit: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_link_lasts_is_rounded_down() {
        for (left, words) in [
            (TimeDelta::hours(24), "24 hours"),
            (TimeDelta::seconds(86_398), "24 hours"),
            (TimeDelta::minutes(1439), "23 hours"),
            (TimeDelta::hours(1), "1 hour"),
            (TimeDelta::seconds(3_598), "1 hour"),
            (TimeDelta::seconds(3_569), "59 minutes"),
            (TimeDelta::seconds(30), "1 minute"),
            (TimeDelta::seconds(-5), "1 minute"),
        ] {
            assert_eq!(lasting(left), words);
        }
    }
}
