//! How a mail leaves: to a mail server, or into a folder.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::ExposeSecret as _;

use crate::kernel::config::{MailConfig, MailTransport, SmtpConfig, SmtpTls};

use super::compose::Mail;
use super::error::{MailError, MailSetupError};

pub(super) enum Transport {
    Smtp {
        client: AsyncSmtpTransport<Tokio1Executor>,
        timeout: Duration,
    },
    Folder(PathBuf),
}

impl Transport {
    pub(super) fn new(config: &MailConfig) -> Result<Self, MailSetupError> {
        match &config.transport {
            MailTransport::Smtp(smtp) => Ok(Self::Smtp {
                client: client(smtp, config.from.email.domain())?,
                timeout: smtp.timeout,
            }),
            MailTransport::File { folder } => Ok(Self::Folder(folder.clone())),
        }
    }

    pub(super) async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        match self {
            // A connection for each mail: they are few, and none is found dead when it is needed.
            Self::Smtp { client, timeout } => {
                tokio::time::timeout(
                    *timeout,
                    client.send_raw(mail.message.envelope(), &mail.message.formatted()),
                )
                .await
                .map_err(|_| MailError::TimedOut)??;
                Ok(())
            }
            Self::Folder(folder) => {
                let (folder, name, text) = (folder.clone(), mail.file_name.clone(), mail.message.formatted());
                tokio::task::spawn_blocking(move || write(&folder, &name, &text))
                    .await
                    .map_err(std::io::Error::other)??;
                Ok(())
            }
        }
    }
}

/// `domain` is how we introduce ourselves: that of the sender, since a host in a container has no name of its own.
fn client(
    config: &SmtpConfig,
    domain: &str,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
    let parameters = || {
        let parameters = TlsParameters::builder(config.host.clone());
        match &config.trusted {
            Some(trusted) => parameters
                .certificate_store(CertificateStore::None)
                .add_root_certificate(trusted.clone()),
            None => parameters,
        }
        .build_rustls()
    };
    let tls = match config.tls {
        SmtpTls::Starttls => Tls::Required(parameters()?),
        SmtpTls::Implicit => Tls::Wrapper(parameters()?),
        SmtpTls::None => Tls::None,
    };
    let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.clone())
        .port(config.port)
        .tls(tls)
        .timeout(Some(config.timeout))
        .hello_name(ClientId::Domain(domain.to_owned()));
    Ok(match &config.credentials {
        Some(known) => builder.credentials(Credentials::new(
            known.user.clone(),
            known.password.expose_secret().to_owned(),
        )),
        None => builder,
    }
    .build())
}

/// Writes a file that only its owner may read, in one step: whoever looks sees no mail or the whole of it.
fn write(folder: &Path, name: &str, text: &[u8]) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = folder.join(format!("{name}.draft"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text)?;
    std::fs::rename(draft, folder.join(name))
}
