//! `portcullis mail …`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::kernel::config::Config;
use crate::mail::{LetterKind, Mailer, Preview};
use crate::mfa::MailCodes;
use crate::recovery::Tickets;

use super::{Attempt, CliError, say};

const NOT_SET: &str = "the letters cannot be set";

#[derive(Debug, Subcommand)]
pub(super) enum MailCommand {
    /// Show what people are written, with made-up values; lists the letters if none is named
    ///
    /// A letter is composed as a real one is, from the configuration: `[mail]` says whom it is from and whom it names as the
    /// support. No database and no mail server is asked, and a link in it opens nothing.
    Preview(PreviewArguments),
}

#[derive(Debug, Args)]
pub(super) struct PreviewArguments {
    /// The letter; all of them if absent
    #[arg(value_parser = letter)]
    letter: Option<LetterKind>,

    #[command(flatten)]
    form: FormArguments,

    /// Write a file for each letter and form into this folder, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// What the tenant is called; the slug of the default tenant if absent
    #[arg(long, value_name = "NAME")]
    tenant_name: Option<String>,
}

/// In which form; without any, the text is printed and all are written.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct FormArguments {
    /// For programs that show HTML
    #[arg(long)]
    html: bool,

    /// For programs that show text
    #[arg(long)]
    text: bool,

    /// The whole mail, as a mail server is given it
    #[arg(long)]
    eml: bool,
}

#[derive(Clone, Copy)]
enum Form {
    Html,
    Text,
    Eml,
}

impl Form {
    const ALL: [Self; 3] = [Self::Html, Self::Text, Self::Eml];

    const fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Text => "txt",
            Self::Eml => "eml",
        }
    }

    fn of(self, preview: &Preview) -> &[u8] {
        match self {
            Self::Html => preview.html.as_bytes(),
            Self::Text => preview.text.as_bytes(),
            Self::Eml => &preview.eml,
        }
    }
}

impl FormArguments {
    const fn wanted(&self) -> Option<Form> {
        match (self.html, self.text, self.eml) {
            (true, ..) => Some(Form::Html),
            (_, true, _) => Some(Form::Text),
            (.., true) => Some(Form::Eml),
            (false, false, false) => None,
        }
    }
}

fn letter(name: &str) -> Result<LetterKind, String> {
    LetterKind::all().find(|kind| kind.name() == name).ok_or_else(|| {
        let names: Vec<_> = LetterKind::all().map(LetterKind::name).collect();
        format!("it is one of {}", names.join(", "))
    })
}

/// Prints a letter, writes letters into a folder, or lists them.
pub(super) fn preview(config: &Config, arguments: &PreviewArguments) -> Result<(), CliError> {
    let mailer = Mailer::new(config).attempt(NOT_SET)?;
    let tickets = Tickets::new(config).attempt(NOT_SET)?;
    let tenant = arguments.tenant_name.as_deref().unwrap_or(&config.default_tenant);
    let compose = |kind: LetterKind| {
        mailer
            .preview(kind, tenant, |letter| {
                let now = LetterKind::moment_of_previews();
                tickets
                    .example(letter, now)
                    .or_else(|| MailCodes::example(letter, now))
            })
            .attempt(NOT_SET)
    };
    let form = arguments.form.wanted();
    match (arguments.letter, &arguments.out) {
        (Some(kind), None) => print(&compose(kind)?, form.unwrap_or(Form::Text)),
        (Some(kind), Some(folder)) => write(folder, kind, &compose(kind)?, form),
        (None, Some(folder)) => {
            LetterKind::all().try_for_each(|kind| write(folder, kind, &compose(kind)?, form))
        }
        (None, None) => list(compose),
    }
}

fn print(preview: &Preview, form: Form) -> Result<(), CliError> {
    let text = std::str::from_utf8(form.of(preview)).attempt(NOT_SET)?;
    say(text.trim_end());
    Ok(())
}

fn write(folder: &Path, kind: LetterKind, preview: &Preview, form: Option<Form>) -> Result<(), CliError> {
    const NOT_WRITTEN: &str = "the files cannot be written";
    std::fs::create_dir_all(folder).attempt(NOT_WRITTEN)?;
    let all = Form::ALL;
    for form in form.as_ref().map_or(&all[..], std::slice::from_ref) {
        let file = folder.join(kind.name()).with_extension(form.extension());
        std::fs::write(&file, form.of(preview)).attempt(NOT_WRITTEN)?;
        say(file.display());
    }
    Ok(())
}

fn list(compose: impl Fn(LetterKind) -> Result<Preview, CliError>) -> Result<(), CliError> {
    let width = LetterKind::all()
        .map(|kind| kind.name().len())
        .max()
        .unwrap_or_default();
    for kind in LetterKind::all() {
        say(format_args!(
            "{:<width$}  {}",
            kind.name(),
            compose(kind)?.subject
        ));
    }
    Ok(())
}
