//! A copy of `wrangler.toml` in which a test changes what it has to.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};
use xtask::workspace::Workspace;

/// More than any test asks for.
const OUT_OF_REACH: i64 = 1_000_000;

/// The configuration of a Worker of a test's own.
#[derive(Clone, Debug)]
pub struct WorkerConfig(Table);

impl WorkerConfig {
    /// The one of development, with its paths as they are from anywhere.
    #[must_use]
    pub fn development() -> Self {
        let root = root();
        let text = fs::read_to_string(root.join("wrangler.toml")).expect("wrangler.toml");
        let mut config: Table = text.parse().expect("a TOML file");
        absolute(&root, config.get_mut("main").unwrap());
        let build = config["build"].as_table_mut().unwrap();
        for folder in build["watch_dir"].as_array_mut().unwrap() {
            absolute(&root, folder);
        }
        build.insert("cwd".to_owned(), root.display().to_string().into());
        Self(config)
    }

    /// With another module in the place of `edge/entry.js`; `main` is seen from the root.
    #[must_use]
    pub fn with_main(mut self, main: &str) -> Self {
        self.0.insert("main".to_owned(), main.into());
        absolute(&root(), self.0.get_mut("main").unwrap());
        self
    }

    /// Without a limit that a test could reach.
    #[must_use]
    pub fn without_limits(mut self) -> Self {
        let names: Vec<_> = self.limits().iter().map(|limit| limit["name"].clone()).collect();
        for name in names {
            self = self.with_limit(name.as_str().unwrap(), OUT_OF_REACH);
        }
        self
    }

    /// With so many requests in the window of the limit `name`, also where the platform keeps it.
    #[must_use]
    pub fn with_limit(mut self, name: &str, requests: i64) -> Self {
        let limit = self
            .limits()
            .iter_mut()
            .find(|limit| limit["name"].as_str() == Some(name))
            .unwrap_or_else(|| panic!("no limit {name}"));
        limit["limit"] = requests.into();
        if let Some(binding) = limit.get("binding").cloned() {
            let bindings = self.0["ratelimits"].as_array_mut().unwrap();
            let bound = bindings.iter_mut().find(|bound| bound["name"] == binding);
            bound.expect("a binding")["simple"]["limit"] = requests.into();
        }
        self
    }

    /// Writes it into `folder`, which may not be there yet.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        let file = folder.join("wrangler.toml");
        fs::write(&file, self.0.to_string()).unwrap();
        file
    }

    fn limits(&mut self) -> &mut Vec<Value> {
        self.0["vars"]["POLICY"]["limits"].as_array_mut().unwrap()
    }
}

fn root() -> PathBuf {
    Workspace::find().expect("a checkout").root().to_path_buf()
}

fn absolute(root: &Path, path: &mut Value) {
    let whole = root.join(path.as_str().expect("a path"));
    *path = whole.display().to_string().into();
}
