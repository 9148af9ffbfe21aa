//! Why a mail did not leave.

use lettre::transport::smtp::{self, response::Code};

use crate::jobs::JobError;

/// The transport of the configuration cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("TLS to the mail server cannot be set up")]
pub struct MailSetupError(#[from] smtp::Error);

/// Why this attempt to send a mail failed. Nothing here quotes the mail server, which may quote an address.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// No transport is configured.
    #[error("mail is off: `[mail]` is not configured")]
    Off,
    /// A template could not be filled in.
    #[error("the mail cannot be written")]
    Template(#[from] askama::Error),
    /// The parts do not make a mail, such as an address that mail servers do not know the form of.
    #[error("the mail cannot be put together")]
    Form,
    /// The server will not have this mail, now or later.
    #[error("the mail server has refused the mail for good, with {0}")]
    Refused(Code),
    /// The server does not take the mail now, or does not take any from us.
    #[error("the mail server has not taken the mail, with {0}")]
    NotTaken(Code),
    /// The server took too long.
    #[error("the mail server took too long")]
    TimedOut,
    /// No TLS connection that can be trusted came about.
    #[error("the connection to the mail server cannot be protected")]
    Tls,
    /// There is no server, or it hung up, or it does not speak SMTP.
    #[error("the mail server cannot be talked to")]
    Connection,
    /// The file could not be written.
    #[error("the mail cannot be written to its folder")]
    Folder(#[from] std::io::Error),
}

/// Replies that are about this one mail or its recipient, and will be the same tomorrow (RFC 5321 §4.2.3, RFC 7504).
/// Other permanent replies, such as those to a wrong password, are about us: an operator may mend them meanwhile.
const FINAL_REPLIES: [u16; 6] = [550, 551, 552, 553, 554, 556];

impl From<smtp::Error> for MailError {
    fn from(error: smtp::Error) -> Self {
        match error.status() {
            Some(code) if FINAL_REPLIES.contains(&code.into()) => Self::Refused(code),
            Some(code) => Self::NotTaken(code),
            None if error.is_timeout() => Self::TimedOut,
            None if error.is_tls() => Self::Tls,
            None => Self::Connection,
        }
    }
}

impl MailError {
    /// What becomes of the job: it is given up where trying again cannot help.
    pub(super) fn into_job_error(self) -> JobError {
        match self {
            Self::Template(_) | Self::Form | Self::Refused(_) => JobError::final_because(self),
            Self::Off
            | Self::NotTaken(_)
            | Self::TimedOut
            | Self::Tls
            | Self::Connection
            | Self::Folder(_) => self.into(),
        }
    }
}
