//! Signature headers that say too little, too much, or too late.

use portcullis_shared::request_signature::{RequestSignatureError, SigningKey, verify};

use super::{NOW, key, refusal, refusal_with, request, signed};

#[test]
fn a_parameter_that_is_missing_unknown_or_wrong_is_refused() {
    for (from, to, name) in [
        (";created=1800000000", "", "created"),
        (";created=1800000000", ";created=\"1800000000\"", "created"),
        (";created=1800000000", ";created=1800000000.5", "created"),
        (";expires=1800000030", "", "expires"),
        (";nonce=\"n-1_A\"", "", "nonce"),
        (";nonce=\"n-1_A\"", ";nonce=\"\"", "nonce"),
        (";keyid=\"edge-1\"", "", "keyid"),
        (";keyid=\"edge-1\"", ";keyid=edge-1", "keyid"),
        (";tag=\"portcullis-edge\"", "", "tag"),
        (";tag=\"portcullis-edge\"", ";tag=\"other\"", "tag"),
        (";alg=\"hmac-sha256\"", ";alg=\"hmac-sha512\"", "alg"),
        (";alg=\"hmac-sha256\"", ";alg=\"ed25519\"", "alg"),
        (";alg=\"hmac-sha256\"", ";alg", "alg"),
        (";tag", ";color=\"red\";tag", "of an unknown name"),
    ] {
        assert_eq!(
            refusal_with(from, to),
            RequestSignatureError::Parameter(name),
            "{from} {to}"
        );
    }
}

#[test]
fn a_signature_lives_thirty_seconds_and_no_longer() {
    let signed = signed();
    let at = |now| refusal(&request(), &signed.signature_input, &signed.signature, now);
    assert_eq!(at(NOW + 30), RequestSignatureError::Expired);
    assert_eq!(at(NOW + 3600), RequestSignatureError::Expired);
    assert_eq!(at(NOW - 6), RequestSignatureError::NotYetValid);
    verify(
        &request(),
        &signed.signature_input,
        &signed.signature,
        &[key()],
        NOW - 5,
    )
    .unwrap();
    for expires in ["1800000031", "1800000000", "1799999999", "999999999999999", "-1"] {
        let refusal = refusal_with("expires=1800000030", &format!("expires={expires}"));
        assert_eq!(refusal, RequestSignatureError::Lifetime, "{expires}");
    }
}

#[test]
fn a_moved_time_nonce_or_key_name_is_noticed() {
    assert_eq!(
        refusal_with("created=1800000000", "created=1800000001"),
        RequestSignatureError::Mismatch
    );
    assert_eq!(
        refusal_with("nonce=\"n-1_A\"", "nonce=\"n-1_B\""),
        RequestSignatureError::Mismatch
    );
    assert_eq!(
        refusal_with("keyid=\"edge-1\"", "keyid=\"edge-9\""),
        RequestSignatureError::UnknownKey
    );
    let signed = signed();
    let other = [SigningKey::new("edge-1", &[1; 32]).unwrap()];
    assert_eq!(
        verify(
            &request(),
            &signed.signature_input,
            &signed.signature,
            &other,
            NOW
        ),
        Err(RequestSignatureError::Mismatch)
    );
    assert_eq!(
        verify(&request(), &signed.signature_input, &signed.signature, &[], NOW),
        Err(RequestSignatureError::UnknownKey)
    );
}

#[test]
fn only_the_label_edge_and_only_one_is_taken() {
    let signed = signed();
    for input in [
        signed.signature_input.replacen("edge=", "sig1=", 1),
        format!(
            "{0}, sig1={1}",
            signed.signature_input,
            &signed.signature_input["edge=".len()..]
        ),
        String::new(),
    ] {
        assert_eq!(
            refusal(&request(), &input, &signed.signature, NOW),
            RequestSignatureError::Label,
            "{input}"
        );
    }
    for signature in [
        signed.signature.replacen("edge", "sig1", 1),
        format!("{}, sig1=:AAAA:", signed.signature),
    ] {
        let refusal = refusal(&request(), &signed.signature_input, &signature, NOW);
        assert_eq!(refusal, RequestSignatureError::Label, "{signature}");
    }
}

#[test]
fn fields_of_another_shape_are_malformed() {
    let signed = signed();
    for input in [
        "edge",
        "edge=1",
        "edge=(\"@method\"",
        "edge=()()",
        "(\"@method\")",
        "edge=\u{e9}",
        "\0",
    ] {
        let refusal = refusal(&request(), input, &signed.signature, NOW);
        assert_eq!(refusal, RequestSignatureError::Malformed, "{input}");
    }
    for signature in [
        "edge",
        "edge=abc",
        "edge=\"abc\"",
        "edge=:a b:",
        "edge=(:AAAA:)",
        "edge=:AAAA:;x=1",
    ] {
        let refusal = refusal(&request(), &signed.signature_input, signature, NOW);
        assert_eq!(refusal, RequestSignatureError::Malformed, "{signature}");
    }
}

#[test]
fn a_shortened_or_lengthened_mac_is_refused() {
    let signed = signed();
    for signature in [
        "edge=::",
        "edge=:tUizgzLT1x129LIK3Xo2qPWroN1lDG7QeYHxPdSY:",
        "edge=:tUizgzLT1x129LIK3Xo2qPWroN1lDG7QeYHxPdSY/JMA:",
    ] {
        let refusal = refusal(&request(), &signed.signature_input, signature, NOW);
        assert_eq!(refusal, RequestSignatureError::Mismatch, "{signature}");
    }
}
