//! An event with its place in a chain, as it is exported, and what is hashed of it. `docs/audit.md` says the same for
//! people who verify an export by themselves.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// One line of an export. Names and order are part of the format.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The event.
    pub id: Uuid,
    /// When it occurred: RFC 3339 in UTC with microseconds.
    pub at: String,
    /// What happened; `None`: retention has removed the event, and only its place in the chain is left.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Who did it.
    pub actor: Option<Uuid>,
    /// Whose account it concerns.
    pub subject: Option<Uuid>,
    /// The tenant, and with it the chain; `None`: the installation.
    pub tenant_id: Option<Uuid>,
    /// The session it concerns.
    pub session: Option<Uuid>,
    /// Where it was caused from, unless that was erased.
    pub ip: Option<String>,
    /// By which program, unless that was erased.
    pub user_agent: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// What else is known.
    pub detail: Option<Value>,
    /// What hides `ip` and `userAgent` in `origin`, and is erased with them.
    pub salt: Option<Uuid>,
    /// SHA-256 of `ip`, `salt` and `userAgent`, in hex.
    pub origin: Option<String>,
    /// The place in the chain, from 1 on.
    pub position: i64,
    /// SHA-256 of the content, in hex.
    pub digest: String,
    /// The `hash` of the position before, in hex; 64 zeros at the first.
    pub prev_hash: String,
    /// SHA-256 of the bytes of `prevHash` and `digest`, in hex.
    pub hash: String,
}

impl Entry {
    /// What `digest` must be.
    pub(super) fn content_digest(&self) -> String {
        sha256_of(&json!({
            "actor": self.actor,
            "at": self.at,
            "detail": self.detail,
            "id": self.id,
            "origin": self.origin,
            "requestId": self.request_id,
            "session": self.session,
            "subject": self.subject,
            "tenantId": self.tenant_id,
            "type": self.kind,
        }))
    }

    /// What `origin` must be; `None` where it was erased, or there never was one.
    pub(super) fn origin_digest(&self) -> Option<String> {
        let salt = self.salt?;
        Some(sha256_of(
            &json!({ "ip": self.ip, "salt": salt, "userAgent": self.user_agent }),
        ))
    }

    /// What `hash` must be; `None` if the others are no hex.
    pub(super) fn chained(&self) -> Option<String> {
        let mut bytes = hex::decode(&self.prev_hash).ok()?;
        bytes.extend(hex::decode(&self.digest).ok()?);
        Some(sha256(&bytes))
    }
}

fn sha256_of(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    sha256(text.as_bytes())
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// JSON in one form only (RFC 8785, for whole numbers, and names sorted by code point): no spaces, names sorted, nothing escaped
/// that need not be.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            // Whether they are sorted already is up to a feature of serde_json that any dependency may switch on.
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (at, (name, member)) in members.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_canonical(member, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_way_to_write_a_value() {
        let mut text = String::new();
        let value = json!({"b": [1, {"z": null, "a": true}], "a": "é\u{1}\n\"\u{7f}/", "": {}});
        write_canonical(&value, &mut text);
        assert_eq!(
            text,
            "{\"\":{},\"a\":\"é\\u0001\\n\\\"\u{7f}/\",\"b\":[1,{\"a\":true,\"z\":null}]}"
        );
    }
}
