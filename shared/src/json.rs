//! Strict JSON for token parts: objects whose names are unique at every depth.
//!
//! Invariant: a text that two parsers could read differently (a repeated name, a lone surrogate, bytes after
//! the end) is not read at all. RFC 7519 §4 leaves the choice for repeated names; this is the safe one.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Up to this many names an object is searched linearly; past it, by a sorted copy, so that a hostile object
/// of a thousand names does not cost a million comparisons.
const LINEAR_NAMES: usize = 16;

/// A JSON value that borrows its strings from the text wherever they hold no escapes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'t> {
    /// `null`, a number that is no `i64`, or anything else no claim or header parameter may be.
    Other,
    Bool(bool),
    Integer(i64),
    String(Cow<'t, str>),
    Array(Vec<Value<'t>>),
    Object(Object<'t>),
}

/// A JSON object with unique names, in the order they were written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object<'t>(Vec<(Cow<'t, str>, Value<'t>)>);

impl<'t> Object<'t> {
    /// Parses `text`; `None` unless it is exactly one strict JSON object.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Some(object),
            Ok(_) | Err(_) => None,
        }
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// Takes the member out, so that its strings need not be copied.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value<'t>> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.swap_remove(at).1)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_members(self) -> impl Iterator<Item = (Cow<'t, str>, Value<'t>)> {
        self.0.into_iter()
    }

    fn has_repeated_names(&self) -> bool {
        if self.0.len() <= LINEAR_NAMES {
            let mut rest = self.0.as_slice();
            while let Some(((name, _), tail)) = rest.split_first() {
                if tail.iter().any(|(other, _)| other == name) {
                    return true;
                }
                rest = tail;
            }
            return false;
        }
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_ref()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Value::Other, Value::Integer))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = Object(Vec::new());
        while let Some((Name(name), value)) = members.next_entry()? {
            object.0.push((name, value));
        }
        if object.has_repeated_names() {
            return Err(A::Error::custom("a name is repeated"));
        }
        Ok(Value::Object(object))
    }
}

/// A member name, borrowed where possible (serde's own `Cow` always copies).
struct Name<'t>(Cow<'t, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::fmt::Write as _;

    use super::{LINEAR_NAMES, Object, Value};

    fn object_of(names: impl Iterator<Item = String>) -> String {
        let mut text = "{".to_owned();
        for name in names {
            let comma = if text.len() > 1 { "," } else { "" };
            write!(text, "{comma}\"{name}\":0").unwrap();
        }
        text + "}"
    }

    #[test]
    fn a_repeated_name_is_found_in_small_and_in_large_objects() {
        for count in [2, LINEAR_NAMES, LINEAR_NAMES + 1, 500] {
            let unique = (0..count).map(|n| format!("n{n}"));
            assert!(Object::parse(&object_of(unique.clone())).is_some(), "{count}");
            for repeated in [0, count / 2, count - 1] {
                let names = unique.clone().chain([format!("n{repeated}")]);
                assert!(Object::parse(&object_of(names)).is_none(), "{count}: {repeated}");
            }
        }
    }

    #[test]
    fn names_are_compared_after_their_escapes() {
        assert!(Object::parse(r#"{"a":1,"\u0061":1}"#).is_none());
        assert!(Object::parse(r#"{"a":1,"A":1}"#).is_some());
    }

    #[test]
    fn strings_are_copied_only_where_they_hold_escapes() {
        let mut object = Object::parse(r#"{"plain":"abc","escaped":"a\tb"}"#).unwrap();
        assert!(matches!(
            object.take("plain"),
            Some(Value::String(Cow::Borrowed("abc")))
        ));
        assert!(matches!(object.take("escaped"), Some(Value::String(Cow::Owned(text))) if text == "a\tb"));
    }

    #[test]
    fn only_whole_numbers_of_64_bits_are_integers() {
        let mut object =
            Object::parse(r#"{"a":9223372036854775807,"b":9223372036854775808,"c":1.0,"d":-1}"#).unwrap();
        assert_eq!(object.take("a"), Some(Value::Integer(i64::MAX)));
        assert_eq!(object.take("b"), Some(Value::Other));
        assert_eq!(object.take("c"), Some(Value::Other));
        assert_eq!(object.take("d"), Some(Value::Integer(-1)));
        assert_eq!(object.take("e"), None);
    }
}
