//! Reads typed values out of the merged sources and keeps a list of everything that is wrong with them.
//!
//! A value is taken out of its section when it is read; what is left over at the end is an unknown key.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use toml::Value;

/// One setting as it was found, before its type is known.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    /// From the file, typed by TOML.
    File(Value),
    /// From the environment variable of this name, always text.
    Environment(String, String),
}

/// The settings of one section that have not been read yet.
pub(super) type Settings = BTreeMap<String, Raw>;

/// Everything that is wrong, in the order of the sections.
#[derive(Debug, Default)]
pub(super) struct Mistakes(pub(super) Vec<String>);

impl Mistakes {
    pub(super) fn add(&mut self, mistake: impl Into<String>) {
        self.0.push(mistake.into());
    }
}

/// One section while it is read.
pub(super) struct Section<'a> {
    name: &'static str,
    settings: Settings,
    mistakes: &'a mut Mistakes,
}

impl<'a> Section<'a> {
    pub(super) fn new(name: &'static str, settings: Settings, mistakes: &'a mut Mistakes) -> Self {
        Self {
            name,
            settings,
            mistakes,
        }
    }

    /// Reports what nobody asked for.
    pub(super) fn finish(self) {
        for (key, raw) in self.settings {
            match raw {
                Raw::File(_) => self
                    .mistakes
                    .add(format!("[{}] has no setting `{key}`", self.name)),
                Raw::Environment(variable, _) => {
                    self.mistakes
                        .add(format!("{variable}: [{}] has no setting `{key}`", self.name));
                }
            }
        }
    }

    /// Adds a mistake about the setting `key`.
    pub(super) fn mistake(&mut self, key: &str, what: impl Display) {
        let name = self.name;
        self.mistakes.add(format!("{name}.{key}: {what}"));
    }

    /// A text, or `None` when it is absent or no text.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.settings.remove(key)? {
            Raw::File(Value::String(text)) | Raw::Environment(_, text) => Some(text),
            Raw::File(other) => {
                self.mistake(key, format_args!("must be text, not {}", other.type_str()));
                None
            }
        }
    }

    /// A text that is not empty and must be there. `hint` says where it may come from.
    pub(super) fn required_text(&mut self, key: &str, hint: &str) -> Option<String> {
        if !self.settings.contains_key(key) {
            self.mistake(key, format_args!("is missing ({hint})"));
            return None;
        }
        let text = self.text(key)?;
        if text.trim().is_empty() {
            self.mistake(key, "must not be empty");
            return None;
        }
        Some(text)
    }

    /// A text that parses to `T`, or the default.
    pub(super) fn parsed<T>(&mut self, key: &str, default: T, expected: &str) -> T
    where
        T: FromStr,
    {
        let Some(text) = self.text(key) else {
            return default;
        };
        text.parse().unwrap_or_else(|_| {
            self.mistake(key, format_args!("must be {expected}"));
            default
        })
    }

    /// A whole number within the range, or the default.
    pub(super) fn number(&mut self, key: &str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let number = match self.settings.remove(key) {
            None => return default,
            Some(Raw::File(Value::Integer(number))) => Some(number),
            Some(Raw::Environment(_, text)) => text.trim().parse().ok(),
            Some(Raw::File(other)) => {
                self.mistake(
                    key,
                    format_args!("must be a whole number, not {}", other.type_str()),
                );
                return default;
            }
        };
        let fitting = number
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| range.contains(number));
        fitting.unwrap_or_else(|| {
            let (low, high) = (range.start(), range.end());
            self.mistake(key, format_args!("must be a whole number from {low} to {high}"));
            default
        })
    }

    /// True or false, or `None` when it is absent or neither.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let flag = match self.settings.remove(key)? {
            Raw::File(Value::Boolean(flag)) => Some(flag),
            Raw::Environment(_, text) => text.trim().parse().ok(),
            Raw::File(_) => None,
        };
        if flag.is_none() {
            self.mistake(key, "must be true or false");
        }
        flag
    }

    /// A list of texts that parse to `T`; in the environment a JSON list, or texts separated by commas.
    pub(super) fn list<T: FromStr>(&mut self, key: &str, expected: &str) -> Vec<T> {
        let texts = match self.settings.remove(key) {
            None => return Vec::new(),
            Some(Raw::Environment(_, text)) => match serde_json::from_str::<Vec<String>>(&text) {
                Ok(texts) => texts,
                Err(_) => text
                    .split(',')
                    .map(|part| part.trim().to_owned())
                    .filter(|part| !part.is_empty())
                    .collect(),
            },
            Some(Raw::File(Value::Array(values))) => {
                let mut texts = Vec::with_capacity(values.len());
                for value in values {
                    match value {
                        Value::String(text) => texts.push(text),
                        other => self.mistake(
                            key,
                            format_args!("must be a list of texts, not of {}", other.type_str()),
                        ),
                    }
                }
                texts
            }
            Some(Raw::File(other)) => {
                self.mistake(key, format_args!("must be a list, not {}", other.type_str()));
                return Vec::new();
            }
        };
        let mut list = Vec::with_capacity(texts.len());
        for text in texts {
            match text.parse() {
                Ok(item) => list.push(item),
                Err(_) => self.mistake(key, format_args!("`{text}` is not {expected}")),
            }
        }
        list
    }

    /// A table of texts; in the environment, one JSON object or inline TOML table.
    pub(super) fn table(&mut self, key: &str) -> BTreeMap<String, String> {
        let parsed = match self.settings.remove(key) {
            None => return BTreeMap::new(),
            Some(Raw::File(Value::Table(table))) => table_of_texts(table),
            Some(Raw::Environment(_, text)) => serde_json::from_str(&text).ok().or_else(|| {
                let document: toml::Table = format!("table = {text}").parse().ok()?;
                match document.get("table")? {
                    Value::Table(table) => table_of_texts(table.clone()),
                    _ => None,
                }
            }),
            Some(Raw::File(_)) => None,
        };
        parsed.unwrap_or_else(|| {
            // The text is not repeated: it holds secrets.
            self.mistake(key, "must be a table of texts");
            BTreeMap::new()
        })
    }
}

fn table_of_texts(table: toml::Table) -> Option<BTreeMap<String, String>> {
    table
        .into_iter()
        .map(|(key, value)| match value {
            Value::String(text) => Some((key, text)),
            _ => None,
        })
        .collect()
}
