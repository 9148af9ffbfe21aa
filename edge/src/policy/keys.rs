//! A table of the configuration whose keys are taken out one by one, so that what is left over was not understood.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::Mistakes;

/// From this likeness on (Jaro-Winkler, 0 to 1) an unknown key is taken for a slip of a known one.
const LIKENESS: f64 = 0.8;

/// A table that is being read.
pub(super) struct Table {
    /// How a mistake names it.
    pub(super) place: String,
    pub(super) keys: Map<String, Value>,
    /// The keys that were looked for.
    known: Vec<&'static str>,
}

impl Table {
    pub(super) const fn new(place: String, keys: Map<String, Value>) -> Self {
        Self {
            place,
            keys,
            known: Vec::new(),
        }
    }

    /// Takes out the value of a key.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.keys.remove(key)
    }

    pub(super) fn text(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<String> {
        match self.take(key)? {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => {
                mistakes.add(&self.place, format_args!("has no text for {key}"));
                None
            }
        }
    }

    pub(super) fn required_text(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<String> {
        if !self.keys.contains_key(key) {
            mistakes.add(&self.place, format_args!("has no {key}"));
        }
        self.text(key, mistakes)
    }

    /// `true` where the key is there and true. `false` is refused: it would read like a requirement.
    pub(super) fn flag(&mut self, key: &'static str, mistakes: &mut Mistakes) -> bool {
        match self.take(key) {
            None => false,
            Some(Value::Bool(true)) => true,
            Some(_) => {
                mistakes.add(
                    &self.place,
                    format_args!("has a {key} that is not true; leave it out instead"),
                );
                false
            }
        }
    }

    pub(super) fn whole_number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        mistakes: &mut Mistakes,
    ) -> Option<u64> {
        let value = self.take(key)?;
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = range.into_inner();
            mistakes.add(
                &self.place,
                format_args!("has a {key} that is not a whole number from {least} to {most}"),
            );
        }
        number
    }

    pub(super) fn table(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<Self> {
        let place = format!("{}, {key}", self.place);
        if let Value::Object(keys) = self.take(key)? {
            return Some(Self::new(place, keys));
        }
        mistakes.add(&self.place, format_args!("has a {key} that is not a table"));
        None
    }

    /// The tables of an array with at least one in it, each placed by its number.
    pub(super) fn tables(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<Vec<Self>> {
        let tables = match self.take(key)? {
            Value::Array(items) if !items.is_empty() => items
                .into_iter()
                .enumerate()
                .map(|(at, item)| match item {
                    Value::Object(keys) => Some(Self::new(format!("{}, {key} {}", self.place, at + 1), keys)),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        if tables.is_none() {
            mistakes.add(&self.place, format_args!("has no array of tables for {key}"));
        }
        tables
    }

    /// Reports the keys that nobody has taken out, each with the known one that it may be meant for.
    pub(super) fn refuse_the_rest(&self, mistakes: &mut Mistakes) {
        for key in self.keys.keys() {
            match self.alike(key) {
                Some(known) => mistakes.add(
                    &self.place,
                    format_args!("has the unknown key {key:?}: did you mean {known}?"),
                ),
                None => mistakes.add(&self.place, format_args!("has the unknown key {key:?}")),
            }
        }
    }

    fn alike(&self, key: &str) -> Option<&'static str> {
        let key = key.to_ascii_lowercase();
        let scored = self
            .known
            .iter()
            .map(|known| (strsim::jaro_winkler(&key, known), *known));
        scored
            .filter(|(likeness, _)| *likeness >= LIKENESS)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, known)| known)
    }
}
