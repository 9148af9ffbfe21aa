//! The vectors: the project's own, and the public ones that lie beside the checkout.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use crate::case::{Case, Verdict};

/// A case, and what must come of it.
#[derive(Clone, Debug)]
pub struct Vector {
    /// File and test, for messages.
    pub name: String,
    /// What to verify.
    pub case: Case,
    /// What must come of it.
    pub expected: Expected,
}

/// What a verifier must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Good.
    Accepted,
    /// Refused, for whatever reason.
    Refused,
    /// Refused with this code and claim.
    RefusedFor {
        /// [`portcullis_shared::error::TokenErrorCode::as_str`].
        code: String,
        /// The claim or header parameter at fault.
        claim: Option<String>,
    },
}

impl Expected {
    /// Whether `verdict` is what was expected.
    #[must_use]
    pub fn is_met_by(&self, verdict: &Verdict) -> bool {
        match self {
            Self::Accepted => verdict.is_accepted(),
            Self::Refused => !verdict.is_accepted(),
            Self::RefusedFor { code, claim } => matches!(
                verdict,
                Verdict::Refused { code: actual, claim: of, .. } if actual == code && of == claim
            ),
        }
    }
}

/// Files by name, each with its vectors.
pub type Files = Vec<(String, Vec<Vector>)>;

type Loaded = Result<Vec<Vector>, Box<dyn Error>>;

/// A file of access tokens in `shared/tests/vectors`.
#[derive(Deserialize)]
struct TokenFile {
    issuer: String,
    audience: String,
    leeway_seconds: i64,
    now: i64,
    keys: String,
    cases: Vec<TokenCase>,
}

#[derive(Deserialize)]
struct TokenCase {
    name: String,
    reason: Option<Reason>,
    token: String,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    claim: Option<String>,
}

/// The project's own access tokens, good and hostile, each file under its name.
pub fn access_tokens() -> Result<Files, Box<dyn Error>> {
    let folder = root().join("shared/tests/vectors");
    ["good.json", "hostile.json"]
        .into_iter()
        .map(|name| {
            Ok((
                name.to_owned(),
                access_token_file(name, &fs::read_to_string(folder.join(name))?)?,
            ))
        })
        .collect()
}

fn access_token_file(name: &str, json: &str) -> Loaded {
    let file: TokenFile = serde_json::from_str(json)?;
    let vectors = file.cases.into_iter().map(|case| Vector {
        name: format!("{name}: {}", case.name),
        case: Case::AccessToken {
            keys: file.keys.clone(),
            issuer: file.issuer.clone(),
            audience: file.audience.clone(),
            leeway_seconds: file.leeway_seconds,
            now: file.now,
            token: case.token,
        },
        expected: match case.reason {
            None => Expected::Accepted,
            Some(reason) => Expected::RefusedFor {
                code: reason.code,
                claim: reason.claim,
            },
        },
    });
    Ok(vectors.collect())
}

/// The public vectors for the signature layer, each file under its name; `None` where the folder
/// `../shared/vectors` beside the checkout does not exist, which is an error in CI.
pub fn public() -> Result<Option<Files>, Box<dyn Error>> {
    let folder = root().join("../shared/vectors");
    if !folder.is_dir() {
        let missing = format!(
            "the public vectors are missing: {} is not a folder",
            folder.display()
        );
        if env::var_os("CI").is_some() {
            return Err(missing.into());
        }
        eprintln!("SKIPPED: {missing}");
        return Ok(None);
    }
    let mut files = Vec::new();
    for name in [
        "rfc7515_a2_rs256",
        "rfc7520_4_1_rs256",
        "rfc7520_4_2_ps384",
        "rfc7520_4_3_es512",
        "rfc7520_4_4_hs256",
    ] {
        files.push((name.to_owned(), rfc(name, &read(&folder, "jose", name)?)?));
    }
    let name = "json_web_signature_test";
    files.push((
        name.to_owned(),
        wycheproof_jws(&read(&folder, "wycheproof", name)?)?,
    ));
    for name in [
        "rsa_signature_2048_sha256_test",
        "rsa_signature_3072_sha256_test",
        "rsa_signature_4096_sha256_test",
    ] {
        files.push((
            name.to_owned(),
            wycheproof_rsa(name, &read(&folder, "wycheproof", name)?)?,
        ));
    }
    Ok(Some(files))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(folder: &Path, group: &str, name: &str) -> Result<Value, Box<dyn Error>> {
    let path = folder.join(group).join(name).with_extension("json");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// The example of an RFC, and its tampered variants where the file has some.
fn rfc(name: &str, file: &Value) -> Loaded {
    let key = file.get("jwk").ok_or("jwk")?.to_string();
    let variants = file
        .get("variants")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    [file]
        .into_iter()
        .chain(variants)
        .map(|example| {
            let variant = example
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or("as published");
            Ok(Vector {
                name: format!("{name}: {variant}"),
                case: Case::Jws {
                    key: key.clone(),
                    jws: text(example, "jws")?,
                },
                expected: match text(example, "expect_rs256_signature_check")?.as_str() {
                    "accept" => Expected::Accepted,
                    _ => Expected::Refused,
                },
            })
        })
        .collect()
}

/// Groups whose key is RSA and whose `alg` is RS256 or absent say what must come of them. Everything else
/// must be refused: for its key's purpose where it claims RS256 itself; else the key loses its purpose, so that
/// the token's own `alg` has to be the reason.
fn wycheproof_jws(file: &Value) -> Loaded {
    let mut vectors = Vec::new();
    for group in array(file, "testGroups")? {
        let key = group.get("public").or(group.get("private")).ok_or("public")?;
        let is_rsa = text(key, "kty")? == "RSA";
        let follows = is_rsa && key.get("alg").is_none_or(|alg| alg == "RS256");
        let mut purposeless = key.clone();
        for member in ["alg", "use", "key_ops"] {
            purposeless
                .as_object_mut()
                .ok_or("the key is not an object")?
                .remove(member);
        }
        for test in array(group, "tests")? {
            let jws = text(test, "jws")?;
            let accepted = follows && text(test, "result")? == "valid";
            let key = if follows || claims_rs256(&jws) {
                key
            } else {
                &purposeless
            };
            vectors.push(Vector {
                name: format!("json_web_signature_test: {}", test_name(test)?),
                case: Case::Jws {
                    key: key.to_string(),
                    jws,
                },
                expected: if accepted {
                    Expected::Accepted
                } else {
                    Expected::Refused
                },
            });
        }
    }
    Ok(vectors)
}

fn claims_rs256(jws: &str) -> bool {
    let header = jws
        .split('.')
        .next()
        .and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    header.is_some_and(|header| header.windows(5).any(|word| word == b"RS256"))
}

/// `acceptable` (a digest identifier without its NULL) is read strictly: refused. So is every signature under an
/// exponent other than 65537, whose key is refused before.
fn wycheproof_rsa(name: &str, file: &Value) -> Loaded {
    let mut vectors = Vec::new();
    for group in array(file, "testGroups")? {
        let key = group.get("keyJwk").ok_or("keyJwk")?;
        let usable = text(key, "e")? == "AQAB";
        for test in array(group, "tests")? {
            let accepted = usable && text(test, "result")? == "valid";
            vectors.push(Vector {
                name: format!("{name}: {}", test_name(test)?),
                case: Case::Signature {
                    key: key.to_string(),
                    message: STANDARD.encode(hexadecimal(&text(test, "msg")?)?),
                    signature: STANDARD.encode(hexadecimal(&text(test, "sig")?)?),
                },
                expected: if accepted {
                    Expected::Accepted
                } else {
                    Expected::Refused
                },
            });
        }
    }
    Ok(vectors)
}

fn test_name(test: &Value) -> Result<String, Box<dyn Error>> {
    let id = test.get("tcId").ok_or("tcId")?;
    Ok(format!("{id} {}", text(test, "comment")?))
}

fn array<'v>(value: &'v Value, name: &'static str) -> Result<&'v [Value], Box<dyn Error>> {
    Ok(value.get(name).and_then(Value::as_array).ok_or(name)?)
}

fn text(value: &Value, name: &'static str) -> Result<String, Box<dyn Error>> {
    Ok(value.get(name).and_then(Value::as_str).ok_or(name)?.to_owned())
}

fn hexadecimal(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?))
        .collect()
}
