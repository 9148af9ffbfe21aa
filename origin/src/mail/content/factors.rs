//! What letters say about second factors.

use crate::kernel::time::Timestamp;

use super::{Block, Content, advice, counted, lasting, text};
use crate::mail::model::Opening;

pub(super) fn sign_in_code(tenant: &str, opening: Opening<'_>, now: Timestamp) -> Content {
    let lasting = lasting(opening.expires_at - now);
    Content {
        subject: format!("Your code to sign in to {tenant}"),
        heading: "Your code to sign in".to_owned(),
        blocks: vec![
            text(format!(
                "Somebody, probably you, is signing in to your account with {tenant}, with your password, on a device that we do not know. \
                 To go on, type this code where you sign in. It is good once, and for {lasting}."
            )),
            Block::Code(in_groups(opening.secret)),
            advice(
                "If it was not you",
                "somebody knows your password. Do not give this code to anybody, whoever asks for it: we never do. Ask for a new password at \
                 once where you sign in, and change it wherever else you use it.",
            ),
        ],
    }
}

/// `1234 5678`.
fn in_groups(code: &str) -> String {
    let characters: Vec<char> = code.chars().collect();
    let groups: Vec<String> = characters.chunks(4).map(String::from_iter).collect();
    groups.join(" ")
}

pub(super) fn codes_locked(tenant: &str, until: &str) -> Content {
    Content {
        subject: format!("Too many wrong codes for {tenant}"),
        heading: "Signing in with a code is locked for a while".to_owned(),
        blocks: vec![
            text(format!(
                "Somebody who knows the password of your account with {tenant} has typed too many wrong codes. Until {until} no code is \
                 taken, not even the right one."
            )),
            Block::Facts,
            advice("If it was you", "wait until then, and sign in once more."),
            advice(
                "If it was not",
                "somebody knows your password. Ask for a new one at once where you sign in, and change it wherever else you use it. \
                 Nobody has got in by a code.",
            ),
        ],
    }
}

/// `change` is the kind of the event.
pub(super) fn mfa_changed(tenant: &str, change: &str) -> Content {
    let (subject, heading, what) = match change {
        "mfa_disabled" => (
            format!("No second factor protects your account with {tenant} any more"),
            "Your second factor was removed",
            format!(
                "Signing in to your account with {tenant} takes nothing but the password from now on. Backup codes are of no use any more. \
                 All other devices were signed out."
            ),
        ),
        "backup_codes_replaced" => (
            format!("Your account with {tenant} has new backup codes"),
            "You have new backup codes",
            format!(
                "New backup codes were made for your account with {tenant}. Those you had before are of no use any more. \
                 All other devices were signed out."
            ),
        ),
        "device_key_added" => (
            format!("A device can sign in to your account with {tenant} by itself"),
            "A key of a device was added",
            format!(
                "From now on a device can sign in to your account with {tenant} by a face or a finger, without the password."
            ),
        ),
        "device_key_removed" => (
            format!("A device can no longer sign in to your account with {tenant} by itself"),
            "A key of a device was removed",
            format!(
                "A device that could sign in to your account with {tenant} by a face or a finger can no longer."
            ),
        ),
        _ => (
            format!("A second factor protects your account with {tenant}"),
            "You have a second factor",
            format!(
                "Signing in to your account with {tenant} takes a code of your authenticator app from now on, beside the password. Keep the backup codes \
                 where you find them without your telephone: each stands in for the app once. All other devices were signed out."
            ),
        ),
    };
    Content {
        subject,
        heading: heading.to_owned(),
        blocks: vec![
            text(what),
            Block::Facts,
            advice("If it was you", "there is nothing to do."),
            advice(
                "If it was not",
                "somebody is signed in to your account, and may know your password. Ask for a new one at once where you sign in: that signs all devices out. Then \
                 ask the support to set your second factor right.",
            ),
        ],
    }
}

pub(super) fn backup_codes_low(tenant: &str, left: u64) -> Content {
    let left = match i64::try_from(left).unwrap_or(i64::MAX) {
        0 => "No backup code is left".to_owned(),
        1 => "1 backup code is left".to_owned(),
        left => format!("{} are left", counted(left, "backup code")),
    };
    Content {
        subject: format!("Few backup codes are left for {tenant}"),
        heading: "Few backup codes are left".to_owned(),
        blocks: vec![
            text(format!(
                "A backup code was used for your account with {tenant}. {left}. Make new ones in the settings of your account while you have your app: \
                 without either, nobody gets in."
            )),
            Block::Facts,
            advice("If it was you", "there is nothing else to do."),
            advice(
                "If it was not",
                "somebody knows your password and has one of your codes. Ask for a new password at once where you sign in, and make new backup codes.",
            ),
        ],
    }
}
