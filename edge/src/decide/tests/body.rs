//! Bodies that are too long, and bodies of which nobody says how long they are.

use std::collections::BTreeMap;

use portcullis_shared::problem::ProblemCode;

use super::{Ask, claims, with, without};

/// A request to a route that takes 100 bytes.
fn purchase(headers: &[(&'static str, &str)]) -> Ask {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
    Ask {
        headers: headers.collect::<BTreeMap<_, _>>(),
        ..Ask::new("POST", "/purchase")
    }
}

fn refused(headers: &[(&'static str, &str)]) -> Option<ProblemCode> {
    with(purchase(headers), claims())
        .err()
        .map(|refusal| refusal.code)
}

#[test]
fn a_declared_length_over_the_limit_is_refused_once_the_gate_is_passed() {
    assert_eq!(refused(&[]), None, "there is no body");
    assert_eq!(refused(&[("content-length", "0")]), None);
    assert_eq!(refused(&[("content-length", "100")]), None);
    for length in ["101", "18446744073709551616", "-1", "+1", "1, 1", "0x1"] {
        assert_eq!(
            refused(&[("content-length", length)]),
            Some(ProblemCode::PayloadTooLarge),
            "{length}"
        );
    }
    let ask = purchase(&[("content-length", "101")]);
    assert_eq!(without(&ask).unwrap_err().code, ProblemCode::InvalidToken);
}

#[test]
fn a_body_of_unknown_length_is_refused_where_there_is_a_limit_and_only_there() {
    for headers in [
        &[("transfer-encoding", "chunked")][..],
        &[("transfer-encoding", "chunked"), ("content-length", "5")],
    ] {
        assert_eq!(refused(headers), Some(ProblemCode::LengthRequired));
    }
    let ask = Ask {
        headers: BTreeMap::from([("transfer-encoding", "chunked".to_owned())]),
        ..Ask::new("POST", "/echo")
    };
    assert!(with(ask, claims()).is_ok());
}
