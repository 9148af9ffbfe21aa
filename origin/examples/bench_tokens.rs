//! Mints a pool of distinct access tokens for `cargo xtask bench`, signed as the origin signs its own.
//!
//! Usage: `bench_tokens BITS COUNT FOLDER`. Writes `tokens.txt` (one token a line) and `jwks.json` to `FOLDER`.
//! The private key is never written; the tokens are good for seven days, so that a later run can use them again.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_origin::kernel::clock::{Clock as _, SystemClock};
use serde_json::json;
use std::{env, error::Error, fs, path::PathBuf, thread};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const KEY_ID: &str = "bench";
const LIFETIME_SECONDS: i64 = 7 * 24 * 3600;

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let (Some(bits), Some(count), Some(folder)) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: bench_tokens BITS COUNT FOLDER".into());
    };
    let size = match bits.as_str() {
        "2048" => KeySize::Rsa2048,
        "3072" => KeySize::Rsa3072,
        "4096" => KeySize::Rsa4096,
        other => return Err(format!("an RSA key has 2048, 3072 or 4096 bits, not {other}").into()),
    };
    let count: usize = count.parse()?;
    let folder = PathBuf::from(folder);

    let key = KeyPair::generate(size)?;
    let now = SystemClock.now().timestamp();
    let workers = thread::available_parallelism()?.get();
    let share = count.div_ceil(workers);
    let parts: Vec<Result<String>> = thread::scope(|scope| {
        let key = &key;
        let handles: Vec<_> = (0..workers)
            .map(|worker| {
                let last = ((worker + 1) * share).min(count);
                scope.spawn(move || {
                    (worker * share..last)
                        .map(|serial| mint(key, serial, now))
                        .collect()
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| {
                handle
                    .join()
                    .unwrap_or_else(|_| Err("a minting thread ended early".into()))
            })
            .collect()
    });
    let lines: String = parts.into_iter().collect::<Result<_>>()?;

    fs::write(folder.join("tokens.txt"), lines)?;
    fs::write(folder.join("jwks.json"), key_set(&key).to_string())?;
    Ok(())
}

/// One token and its line end. Every identifier differs, so that no cache can know the token.
fn mint(key: &KeyPair, serial: usize, now: i64) -> Result<String> {
    let id = |kind: u8| format!("01980000-{kind:04x}-7000-8000-{serial:012x}");
    let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": KEY_ID});
    let claims = json!({
        "iss": "https://bench.portcullis.dev",
        "aud": "bench",
        "sub": id(1),
        "exp": now + LIFETIME_SECONDS,
        "iat": now,
        "jti": id(2),
        "client_id": "portcullis",
        "sid": id(3),
        "tenant_id": "00000000-0000-0000-0000-000000000001",
        "role": "customer",
        "permissions": ["tickets:purchase", "tickets:view-own", "tickets:transfer-own", "profile:update-own"],
        "auth_time": now,
        "amr": ["pwd"],
        "acr": "aal1",
    });
    let encode = |part: &str| Base64UrlUnpadded::encode_string(part.as_bytes());
    let input = format!("{}.{}", encode(&header.to_string()), encode(&claims.to_string()));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        input.as_bytes(),
        &mut signature,
    )?;
    Ok(format!(
        "{input}.{}\n",
        Base64UrlUnpadded::encode_string(&signature)
    ))
}

fn key_set(key: &KeyPair) -> serde_json::Value {
    let public = key.public_key();
    let encode = |number: &[u8]| Base64UrlUnpadded::encode_string(number);
    json!({"keys": [{
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": KEY_ID,
        "n": encode(public.modulus().big_endian_without_leading_zero()),
        "e": encode(public.exponent().big_endian_without_leading_zero()),
    }]})
}
