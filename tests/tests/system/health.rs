//! `/health`, `/health/db`, `/live`, `/ready` while all is well.

use portcullis_tests::world::Door;

#[tokio::test]
async fn a_healthy_system_says_so_without_internals() {
    for door in Door::both() {
        for path in ["/health", "/health/db", "/live", "/ready"] {
            let answer = door.client().get(path).send().await.expect(200);
            let status = answer.json()["status"]
                .as_str()
                .unwrap_or_else(|| panic!("{path}: {answer:?}"))
                .to_owned();
            assert_ne!(status, "degraded", "{path}");
            let text = String::from_utf8(answer.body.to_vec()).unwrap().to_lowercase();
            for internal in ["postgres:", "redis:", "127.0.0.1", "version", "error"] {
                assert!(!text.contains(internal), "{path} tells {internal}: {text}");
            }
        }
    }
}
