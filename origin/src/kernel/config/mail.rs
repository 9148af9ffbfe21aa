//! `[mail]`: whether and how people are written to.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::client::Certificate;
use secrecy::SecretString;

use super::reader::{Mistakes, Section};
use super::sections::Found;

/// `[mail]`: the transport, and who the mails are from. There is no default transport: without one, mail is off.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// How a mail leaves.
    pub transport: MailTransport,
    /// The sender: `name@example.com` or `Name <name@example.com>`. Required.
    pub from: Mailbox,
    /// Where answers go, and whom a mail names as the support. Default none.
    pub reply_to: Option<Mailbox>,
    /// The URL of the application's pages, without a slash at the end; links to choose a new password open
    /// `/reset-password?token=` there. Default the issuer.
    pub front_end_url: Option<String>,
}

/// `transport`: how a mail leaves.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// To a mail server.
    Smtp(SmtpConfig),
    /// Into this folder, one `.eml` file each: for development.
    File {
        /// Made where there is none.
        folder: PathBuf,
    },
}

/// The mail server.
#[derive(Clone, Debug)]
pub struct SmtpConfig {
    /// Its name, which is also what its certificate must be for. Required.
    pub host: String,
    /// Its port. Default 587 for `starttls`, 465 for `implicit`, 25 for `none`.
    pub port: u16,
    /// How the connection is protected. Default `starttls`.
    pub tls: SmtpTls,
    /// `ca_file`: certificates in PEM, the only ones that are trusted. Default those of the system.
    pub trusted: Option<Certificate>,
    /// `user` and `password`; not over a connection that is not protected. Default none.
    pub credentials: Option<SmtpCredentials>,
    /// How long handing over one mail may take, from connecting on. 1 to 300 s, default 30 s.
    pub timeout: Duration,
}

/// `tls`: how a connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// By STARTTLS (RFC 3207); a server that does not offer it gets no mail.
    Starttls,
    /// From the first byte (RFC 8314 §3.3).
    Implicit,
    /// Not at all: for a relay on the same machine.
    None,
}

impl FromStr for SmtpTls {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "starttls" => Ok(Self::Starttls),
            "implicit" => Ok(Self::Implicit),
            "none" => Ok(Self::None),
            _ => Err(()),
        }
    }
}

impl SmtpTls {
    const fn default_port(self) -> u32 {
        match self {
            Self::Starttls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// Who the server takes us for.
#[derive(Clone, Debug)]
pub struct SmtpCredentials {
    /// The name.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

impl MailConfig {
    /// `None` where nothing is set. A transport that is missing beside other settings is a mistake, so that mail which
    /// somebody expects is not missing silently.
    pub(super) fn read((name, settings): Found, mistakes: &mut Mistakes) -> Option<Self> {
        if settings.is_empty() {
            return None;
        }
        let mut section = Section::new(name, settings, mistakes);
        let transport =
            section.required_text("transport", "`smtp` or `file`; without any setting, mail is off");
        let transport = match transport.as_deref() {
            Some("smtp") => SmtpConfig::read(&mut section).map(MailTransport::Smtp),
            Some("file") => {
                let folder = section.required_text("folder", "where the .eml files go");
                folder.map(|folder| MailTransport::File {
                    folder: folder.into(),
                })
            }
            Some(_) => {
                section.mistake("transport", "must be `smtp` or `file`");
                return None;
            }
            None => return None,
        };
        let from = section.required_text("from", "the sender of every mail");
        let from = mailbox(&mut section, "from", from);
        let reply_to = section.text("reply_to");
        let reply_to = mailbox(&mut section, "reply_to", reply_to);
        let front_end_url = section.text("front_end_url");
        if let Some(url) = &front_end_url {
            let is_http = url.starts_with("https://") || url.starts_with("http://");
            if !is_http || url.contains(['?', '#']) || url.ends_with('/') {
                section.mistake(
                    "front_end_url",
                    "must be an http(s) URL without query, fragment or final slash",
                );
            }
        }
        section.finish();
        Some(Self {
            transport: transport?,
            from: from?,
            reply_to,
            front_end_url,
        })
    }
}

fn mailbox(section: &mut Section<'_>, key: &str, text: Option<String>) -> Option<Mailbox> {
    let mailbox = text?.parse().ok();
    if mailbox.is_none() {
        section.mistake(
            key,
            "must be an address, such as Portcullis <no-reply@example.com>",
        );
    }
    mailbox
}

impl SmtpConfig {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let host = section.required_text("host", "the name of the mail server");
        let tls = section.parsed("tls", SmtpTls::Starttls, "`starttls`, `implicit` or `none`");
        let port = section.number("port", tls.default_port(), 1..=65_535);
        let trusted = section.text("ca_file").and_then(|file| {
            read_certificates(&file)
                .inspect_err(|mistake| section.mistake("ca_file", mistake))
                .ok()
        });
        let credentials = match (section.text("user"), section.text("password")) {
            (Some(user), Some(password)) => Some(SmtpCredentials {
                user,
                password: password.into(),
            }),
            (None, None) => None,
            (Some(_), None) => {
                section.mistake("password", "is missing (there is a user)");
                None
            }
            (None, Some(_)) => {
                section.mistake("user", "is missing (there is a password)");
                None
            }
        };
        if credentials.is_some() && tls == SmtpTls::None {
            section.mistake(
                "tls",
                "must be `starttls` or `implicit`, or the password could be overheard",
            );
        }
        let timeout = section.number("timeout_seconds", 30, 1..=300);
        Some(Self {
            host: host?,
            port: u16::try_from(port).unwrap_or(u16::MAX),
            tls,
            trusted,
            credentials,
            timeout: Duration::from_secs(timeout.into()),
        })
    }
}

fn read_certificates(file: &str) -> Result<Certificate, String> {
    let pem = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    Certificate::from_pem(pem.as_bytes())
        .ok()
        // A file without any would be read as "trust nobody".
        .filter(|_| pem.contains("-----BEGIN CERTIFICATE-----"))
        .ok_or_else(|| "holds no certificates in PEM".to_owned())
}
