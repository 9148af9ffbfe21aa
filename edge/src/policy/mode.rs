//! Whether a route's demands are enforced, or only tried on live traffic.

use std::rc::Rc;

use super::{Mistakes, Policy, Route};

/// What becomes of a request that does not meet its route's gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is let through, and what it would have been refused for is logged and counted.
    Shadow,
}

impl Mode {
    /// Reads the key `mode` of a route; a route without it is enforced.
    pub(super) fn read(value: Option<&str>, place: &str, mistakes: &mut Mistakes) -> Self {
        match value {
            None | Some("enforce") => Self::Enforce,
            Some("shadow") => Self::Shadow,
            Some(_) => {
                mistakes.add(place, "has a mode that is neither enforce nor shadow");
                Self::Enforce
            }
        }
    }
}

impl Policy {
    /// The routes whose demands are not enforced.
    pub fn shadow_routes(&self) -> impl Iterator<Item = &Rc<Route>> {
        self.routes().filter(|route| route.gate.mode == Mode::Shadow)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Mode;
    use crate::path::Target;
    use crate::policy::{Found, Policy};

    fn policy(modes: &[(&str, Value)]) -> Result<Policy, Vec<String>> {
        let routes: Vec<Value> = modes
            .iter()
            .map(|(path, mode)| json!({"path": path, "upstream": "app", "authenticated": true, "mode": mode}))
            .collect();
        let table = json!({"issuer": "i", "audience": "a", "routes": routes});
        Policy::parse(&table.to_string()).map_err(|mistakes| mistakes.0)
    }

    #[test]
    fn a_route_is_enforced_unless_it_says_that_it_is_in_shadow() {
        let policy = policy(&[("/a", json!("enforce")), ("/b", json!("shadow"))]).unwrap();
        let modes: Vec<_> = policy
            .routes()
            .map(|route| (route.path.as_str(), route.gate.mode))
            .collect();
        assert_eq!(modes, [("/a", Mode::Enforce), ("/b", Mode::Shadow)]);
        let named: Vec<_> = policy.shadow_routes().map(|route| route.path.as_str()).collect();
        assert_eq!(named, ["/b"]);
        let silent = r#"{"issuer": "i", "audience": "a", "routes": [{"path": "/a", "upstream": "app", "public": true}]}"#;
        assert_eq!(Policy::parse(silent).unwrap().shadow_routes().count(), 0);
    }

    #[test]
    fn another_mode_is_a_mistake() {
        for mode in [json!("log"), json!("Shadow"), json!(true), json!("")] {
            assert_eq!(policy(&[("/a", mode.clone())]).unwrap_err().len(), 1, "{mode}");
        }
    }

    #[test]
    fn a_path_that_could_be_read_as_that_of_an_enforced_route_is_not_let_through_in_shadow() {
        let policy = policy(&[("/{x}", json!("shadow")), ("/a", json!("enforce"))]).unwrap();
        let target = Target::of_url("http://h/A").unwrap();
        assert_eq!(policy.find("GET", &target), Found::TwoReadings);
    }
}
