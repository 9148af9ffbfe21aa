//! Where settings come from: the process's environment, or that of the development stack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file that `cargo xtask dev` writes, in the checkout or a folder above the current one.
const DEVELOPMENT_FILE: &str = ".dev/env";

/// The variables and the configuration file that a command goes by.
#[derive(Debug, Default)]
pub(super) struct Environment {
    variables: BTreeMap<String, String>,
    config_file: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process. Where it names neither a configuration nor a database, that of the
    /// development stack fills the gaps.
    pub(super) fn of_process(config: Option<PathBuf>) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let folder = std::env::current_dir().unwrap_or_default();
        Self::new(variables, config, &folder)
    }

    fn new(variables: BTreeMap<String, String>, config: Option<PathBuf>, folder: &Path) -> Self {
        let mut environment = Self {
            variables,
            config_file: config,
        };
        let names_something = environment.config_file.is_some()
            || ["PORTCULLIS_CONFIG", "DATABASE_URL"]
                .iter()
                .any(|name| environment.variables.contains_key(*name));
        if !names_something {
            environment.add_development_stack(folder);
        }
        if environment.config_file.is_none() {
            environment.config_file = environment.variables.get("PORTCULLIS_CONFIG").map(PathBuf::from);
        }
        environment
    }

    /// The configuration file, if any.
    pub(super) fn config_file(&self) -> Option<&Path> {
        self.config_file.as_deref()
    }

    /// The variables, sorted by name.
    pub(super) fn variables(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.variables
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
    }

    fn add_development_stack(&mut self, folder: &Path) {
        let found = folder.ancestors().find_map(|folder| {
            Some((
                folder,
                std::fs::read_to_string(folder.join(DEVELOPMENT_FILE)).ok()?,
            ))
        });
        let Some((root, text)) = found else { return };
        for (name, value) in text.lines().filter_map(parse_line) {
            self.variables.entry(name.to_owned()).or_insert_with(|| {
                if name == "PORTCULLIS_CONFIG" {
                    root.join(value).to_string_lossy().into_owned()
                } else {
                    value.to_owned()
                }
            });
        }
    }
}

/// `NAME=value`, up to the end of the line; one pair of quotes around the whole value is taken off.
fn parse_line(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let (name, value) = line.split_once('=')?;
    let value = value.trim();
    let unquoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value);
    Some((name.trim(), unquoted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join(".dev")).unwrap();
        std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        let text = "# made by the stack\n\nPORTCULLIS_CONFIG=.dev/portcullis.toml\nDATABASE_URL=postgres://dev\n\
                    PORTCULLIS__EDGE__SIGNING_KEYS={\"k\":\"c2VjcmV0\"}\nQUOTED=\"a=b\"\n";
        std::fs::write(root.path().join(".dev/env"), text).unwrap();
        root
    }

    #[test]
    fn a_command_within_a_checkout_goes_by_the_development_stack() {
        let root = checkout();
        let environment = Environment::new(BTreeMap::new(), None, &root.path().join("a/b"));
        assert_eq!(
            environment.config_file().unwrap(),
            root.path().join(".dev/portcullis.toml")
        );
        let variables: BTreeMap<_, _> = environment.variables().collect();
        assert_eq!(variables["DATABASE_URL"], "postgres://dev");
        assert_eq!(
            variables["PORTCULLIS__EDGE__SIGNING_KEYS"],
            "{\"k\":\"c2VjcmV0\"}"
        );
        assert_eq!(variables["QUOTED"], "a=b");
    }

    #[test]
    fn a_named_database_keeps_the_development_stack_out() {
        let root = checkout();
        let own = BTreeMap::from([("DATABASE_URL".to_owned(), "postgres://own".to_owned())]);
        let environment = Environment::new(own.clone(), None, root.path());
        assert_eq!(environment.variables().collect::<BTreeMap<_, _>>(), own);
        assert!(environment.config_file().is_none());
    }

    #[test]
    fn a_named_configuration_keeps_the_development_stack_out() {
        let root = checkout();
        let environment = Environment::new(BTreeMap::new(), Some("own.toml".into()), root.path());
        assert_eq!(environment.variables().count(), 0);
        assert_eq!(environment.config_file(), Some(Path::new("own.toml")));
    }
}
