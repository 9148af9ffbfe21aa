use super::{Plan, foreign_cookies, has_product_cookie, plan};
use proptest::prelude::*;

fn removed<'n>(names: &'n str, connection: &str, upgrade: &str) -> Vec<&'n str> {
    plan(names, |name| match name {
        "connection" => Some(connection.to_owned()),
        "upgrade" => Some(upgrade.to_owned()),
        other => panic!("asked for {other}"),
    })
    .remove
}

#[test]
fn headers_that_only_the_edge_may_set_are_removed_in_every_spelling() {
    for name in [
        "x-auth-subject",
        "x-auth-anything",
        "x-auth",
        "X-Auth-Role",
        "x_auth_subject",
        "x-auth_subject",
        "x.auth.subject",
        "x~auth~subject",
        "_x_auth_subject",
        "forwarded",
        "forwarded-for",
        "x-forwarded-for",
        "x-forwarded",
        "x_forwarded_proto",
        "X_FORWARDED_HOST",
        "signature",
        "signature-input",
        "signature_input",
        "x-request-id",
        "x_request_id",
        "x-real-ip",
        "true-client-ip",
        "x-original-url",
        "X-Original-URI",
        "x_original_host",
        "x-rewrite-url",
        "x-host",
        "x-http-host-override",
        "x-http-method",
        "x-http-method-override",
        "x_http_method_override",
        "X-Method-Override",
        "x-forwarded-prefix",
        "x-forwarded-user",
        "remote-user",
        "Remote_User",
        "x-remote-user",
        "remote-addr",
        "client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "fastly-client-ip",
        "cf_connecting_ip",
        "cf-connecting_ip",
        "cf.ray",
        "_cf-connecting-ip",
        "cf-access-authenticated-user-email",
        "x-webauth-user",
        "X-WebAuth-Email",
        "x_webauth_user",
        "x-goog-authenticated-user-email",
        "x-goog-authenticated-user-id",
        "X_Goog_Authenticated_User_Email",
        "x-ms-client-principal",
        "x-ms-client-principal-name",
        "x-ms-client-principal-id",
        "X-MS-Client-Principal-IdP",
        "wl-proxy-client-ip",
        "WL_Proxy_Client_IP",
        "proxy-client-ip",
        "x-original-method",
        "x-override-url",
        "x-envoy-original-path",
        "x-envoy-external-address",
    ] {
        assert_eq!(removed(name, "", ""), [name], "{name}");
    }
}

#[test]
fn headers_that_only_look_similar_are_kept() {
    for name in [
        "authorization",
        "accept",
        "x-author",
        "x-authority",
        "x-forward",
        "forward",
        "signatures",
        "x-signature",
        "content-type",
        "x-request-identity",
        "te-st",
        "teapot",
        "x-token-delivery",
        "x-hostname",
        "x-original-filename",
        "x-webauthn-challenge",
        "x-goog-api-key",
        "x-goog-authenticated-users",
        "x-ms-client-request-id",
        "x-ms-client-principals",
        "x-envoys",
        "x-override",
        "wl-proxies",
        "proxy-client",
        "remote-users",
        "cf-connecting-ip",
        "cf-ray",
        "cf-access-jwt-assertion",
        "cfx_a",
        "connections",
        "expected",
        "_",
        "-",
        "content-length",
    ] {
        assert_eq!(removed(name, "", ""), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn the_tenant_and_the_device_of_a_client_are_for_the_origin_alone() {
    for name in [
        "x-tenant",
        "X-Tenant",
        "x_tenant",
        "_x.tenant",
        "x-device-token",
        "X_Device_Token",
    ] {
        let plan = plan(name, |_| None);
        assert_eq!(
            (&plan.withhold[..], &plan.remove[..]),
            (&[name][..], &[][..]),
            "{name}"
        );
    }
    for name in ["x-tenants", "x-tenant-id", "tenant", "x-device", "device-token"] {
        assert_eq!(plan(name, |_| None), Plan::default(), "{name}");
    }
}

#[test]
fn hop_by_hop_headers_and_those_connection_names_are_removed() {
    let names = "accept,connection,keep-alive,proxy-authorization,te,trailer,transfer-encoding,x-hop,x-end";
    assert_eq!(
        removed(names, "close, X-Hop , not-there", ""),
        [
            "connection",
            "keep-alive",
            "proxy-authorization",
            "te",
            "trailer",
            "transfer-encoding",
            "x-hop"
        ]
    );
}

#[test]
fn only_the_upgrade_to_a_websocket_is_passed_on() {
    assert_eq!(
        removed("connection,upgrade", "Upgrade", "websocket"),
        ["connection"]
    );
    assert_eq!(
        removed("connection,upgrade", "Upgrade", "h2c"),
        ["connection", "upgrade"].map(|name| name)
    );
}

#[test]
fn cookies_are_noticed() {
    assert_eq!(
        plan("accept,cookie", |_| None),
        Plan {
            has_cookies: true,
            ..Plan::default()
        }
    );
}

#[test]
fn the_products_cookies_do_not_reach_others() {
    for (cookies, kept) in [
        ("a=1; __Host-pc_access=x; b=2", Some("a=1; b=2")),
        ("__Host-pc_access=x", None),
        ("__Host-pc_access=x; __host-pc_refresh=y", None),
        ("a=1, __Host-pc_access=x", Some("a=1")),
        ("__Host-pc_access=x, a=1,2", Some("a=1,2")),
        ("a=1;__Host-pc_device=z;b=2", Some("a=1;b=2")),
        (
            "__Host-other=1; a=__Host-pc_",
            Some("__Host-other=1; a=__Host-pc_"),
        ),
    ] {
        assert_eq!(foreign_cookies(cookies).as_deref(), kept, "{cookies}");
    }
    assert!(has_product_cookie("a=1; __HOST-PC_x=1"));
    assert!(!has_product_cookie("a=1; b=2"));
}

proptest! {
    #[test]
    fn no_header_makes_it_panic(names in any::<String>(), value in any::<String>()) {
        let _ = plan(&names, |_| Some(value.clone()));
        let _ = foreign_cookies(&value);
        let _ = has_product_cookie(&value);
    }

    #[test]
    fn no_product_cookie_survives(cookies in "([a-c_=]|; |, |__Host-pc_a=1){0,12}") {
        if let Some(kept) = foreign_cookies(&cookies) {
            prop_assert!(!kept.split([';', ',']).any(|piece| piece.trim_start().starts_with("__Host-pc_")));
        }
    }

    #[test]
    fn every_separator_folds(separators in "[-_.~!#$%&'*+^`|]{2}") {
        let mut separators = separators.chars();
        let (first, second) = (separators.next().unwrap(), separators.next().unwrap());
        let name = format!("x{first}auth{second}subject");
        prop_assert_eq!(removed(&name, "", ""), vec![name.as_str()]);
    }
}
