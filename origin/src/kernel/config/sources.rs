//! Where settings come from: a TOML file, then the environment, which wins.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Value;

use super::reader::{Mistakes, Raw, Settings};

/// Prefix of the environment variables that override a setting: `PORTCULLIS__<SECTION>__<KEY>`.
const PREFIX: &str = "PORTCULLIS__";

/// All settings by section, before any is understood.
pub(super) fn collect(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    mistakes: &mut Mistakes,
) -> BTreeMap<String, Settings> {
    let mut sections = BTreeMap::new();
    if let Some(file) = file {
        read_file(file, &mut sections, mistakes);
    }
    let mut environment: Vec<(String, String)> = environment.into_iter().collect();
    // The two plain names first, so that the long names win over them, and a whole table before its entries.
    environment.sort_by_key(|(name, _)| (name.starts_with(PREFIX), name.clone()));
    for (name, value) in environment {
        apply_variable(name, value, &mut sections, mistakes);
    }
    sections
}

fn read_file(file: &Path, sections: &mut BTreeMap<String, Settings>, mistakes: &mut Mistakes) {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            mistakes.add(format!("{}: {error}", file.display()));
            return;
        }
    };
    let document: toml::Table = match text.parse() {
        Ok(document) => document,
        Err(error) => {
            // The parser's own rendering quotes the line, which may hold a secret.
            let line = error.span().map_or(0, |span| {
                text.get(..span.start).unwrap_or("").lines().count().max(1)
            });
            mistakes.add(format!("{}: line {line}: {}", file.display(), error.message()));
            return;
        }
    };
    for (section, value) in document {
        match value {
            Value::Table(table) => {
                let settings: &mut Settings = sections.entry(section).or_default();
                settings.extend(table.into_iter().map(|(key, value)| (key, Raw::File(value))));
            }
            _ => mistakes.add(format!("`{section}` stands outside any section")),
        }
    }
}

fn apply_variable(
    name: String,
    value: String,
    sections: &mut BTreeMap<String, Settings>,
    mistakes: &mut Mistakes,
) {
    let path = match name.as_str() {
        "DATABASE_URL" => vec!["database".to_owned(), "url".to_owned()],
        "REDIS_URL" => vec!["redis".to_owned(), "url".to_owned()],
        _ => match name.strip_prefix(PREFIX) {
            // The third part is an entry of a table, such as a key identifier, and keeps its case.
            Some(rest) => rest
                .splitn(3, "__")
                .enumerate()
                .map(|(at, part)| {
                    if at < 2 {
                        part.to_ascii_lowercase()
                    } else {
                        part.to_owned()
                    }
                })
                .collect(),
            None => return,
        },
    };
    match path.as_slice() {
        [section, key] => {
            sections
                .entry(section.clone())
                .or_default()
                .insert(key.clone(), Raw::Environment(name, value));
        }
        [section, key, entry] => {
            let settings = sections.entry(section.clone()).or_default();
            let mut table = match settings.remove(key) {
                Some(Raw::File(Value::Table(table))) => table,
                Some(Raw::Environment(_, text)) => serde_json::from_str(&text).unwrap_or_default(),
                Some(Raw::File(_)) | None => toml::Table::new(),
            };
            table.insert(entry.clone(), Value::String(value));
            settings.insert(key.clone(), Raw::File(Value::Table(table)));
        }
        _ => mistakes.add(format!("{name}: expected PORTCULLIS__<SECTION>__<KEY>")),
    }
}
