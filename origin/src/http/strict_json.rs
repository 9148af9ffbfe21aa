//! Refuses JSON that could not be stored: NUL in any text. Lone surrogates and text that is not UTF-8 are
//! refused by the parser itself, in every value, also in those that no field asks for.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

/// Reads the whole document and keeps nothing of it. The depth is bounded by the parser (128). The document
/// must be an object: `serde` would read a list into a struct by position.
pub(super) fn check(body: &[u8]) -> Result<(), serde_json::Error> {
    if body
        .trim_ascii_start()
        .first()
        .is_some_and(|first| *first != b'{')
    {
        return Err(serde_json::Error::custom("a document that is no object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    Walk.deserialize(&mut deserializer)?;
    deserializer.end()
}

#[derive(Clone, Copy)]
struct Walk;

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without NUL")
    }

    fn visit_bool<E: Error>(self, _value: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _value: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _value: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _value: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            Err(E::custom("text with NUL"))
        } else {
            Ok(())
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_key_seed(self)?.is_some() {
            entries.next_value_seed(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_json_passes() {
        for body in [r#" {"a":[1,-2,3.5,null,true,"\u00e9\ud83d\ude00"]} "#, "{}"] {
            assert!(check(body.as_bytes()).is_ok(), "{body}");
        }
    }

    #[test]
    fn a_document_that_is_no_object_is_refused() {
        for body in ["[]", "1", r#""text""#, "null", "", "   "] {
            assert!(check(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn what_cannot_be_stored_is_refused_wherever_it_stands() {
        for body in [
            r#"{"a":"\u0000"}"#,
            r#"{"\u0000":1}"#,
            r#"{"a":[{"b":"x\u0000y"}]}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\udc00\ud800"}"#,
            "{\"a\":\"\u{0}\"}",
        ] {
            assert!(check(body.as_bytes()).is_err(), "{body}");
        }
        assert!(check(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_document_that_nests_too_deep_is_refused() {
        let body = "{\"a\":".repeat(10_000);
        assert!(check(body.as_bytes()).is_err());
    }

    #[test]
    fn anything_after_the_document_is_refused() {
        assert!(check(b"{} {}").is_err());
    }
}
