//! What a vector is, and all of them in one list.

use serde::Serialize;

use crate::mint::{AUDIENCE, ISSUER, LEEWAY, Mint, NOW};
use crate::{claims, header, shape};

/// Why a token must be refused: the code and the claim (or header parameter) of the error.
pub(crate) type Refusal = (&'static str, Option<&'static str>);

#[derive(Serialize)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Absent for a good token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Reason>,
    pub(crate) token: String,
}

#[derive(Serialize)]
pub(crate) struct Reason {
    pub(crate) code: &'static str,
    pub(crate) claim: Option<&'static str>,
}

/// A file of vectors, with all that is needed to replay it.
#[derive(Serialize)]
pub(crate) struct File {
    pub(crate) about: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) audience: &'static str,
    pub(crate) leeway_seconds: i64,
    /// Seconds since the epoch.
    pub(crate) now: i64,
    /// A JSON Web Key Set, as text.
    pub(crate) keys: String,
    pub(crate) cases: Vec<Case>,
}

pub(crate) fn accepted(name: &'static str, token: String) -> Case {
    Case {
        name,
        reason: None,
        token,
    }
}

pub(crate) fn refused(name: &'static str, (code, claim): Refusal, token: String) -> Case {
    Case {
        name,
        reason: Some(Reason { code, claim }),
        token,
    }
}

/// The files by name.
pub(crate) fn files() -> [(&'static str, File); 2] {
    let mint = Mint::signer();
    let good = [header::good(&mint), shape::good(&mint), claims::good(&mint)];
    let hostile = [
        header::hostile(&mint),
        shape::hostile(&mint),
        claims::hostile(&mint),
    ];
    [
        (
            "good.json",
            file(&mint, "Access tokens that must be accepted.", good),
        ),
        (
            "hostile.json",
            file(
                &mint,
                "Access tokens that must be refused, each with the reason.",
                hostile,
            ),
        ),
    ]
}

fn file(mint: &Mint, about: &'static str, cases: [Vec<Case>; 3]) -> File {
    let stranger = Mint::stranger();
    let keys = [
        mint.jwk(crate::mint::KID),
        mint.jwk("ambiguous"),
        stranger.jwk("ambiguous"),
        mint.jwk("encryption")
            .replace("\"use\":\"sig\"", "\"use\":\"enc\""),
        mint.jwk("pss").replace("RS256", "PS256"),
    ];
    File {
        about,
        issuer: ISSUER,
        audience: AUDIENCE,
        leeway_seconds: LEEWAY,
        now: NOW,
        keys: format!("{{\"keys\":[{}]}}", keys.join(",")),
        cases: cases.into_iter().flatten().collect(),
    }
}
