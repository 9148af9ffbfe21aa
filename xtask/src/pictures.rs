//! Pictures of what people are written, for whoever reads the documentation: `docs/mail/`.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::{
    dev, process, ui,
    workspace::{Workspace, on_path},
};

/// Where the pictures are kept, seen from the root.
const FOLDER: &str = "docs/mail";
/// As wide as a telephone, in pixels.
const WIDTH: u32 = 420;

/// What the browser is started with. There is no sandbox to be had as root in a container, and nothing opens here but letters.
const FLAGS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
];

/// Shows every letter in a frame, and puts how high each is into the title.
const MEASURE: &str = "
    const heights = {};
    for (const [name, html] of Object.entries(letters)) {
        const frame = Object.assign(document.createElement('iframe'), {width, height: 1, srcdoc: html});
        frame.style.border = 0;
        frame.onload = () => {
            heights[name] = frame.contentDocument.documentElement.scrollHeight;
            document.title = JSON.stringify(heights);
        };
        document.body.append(frame);
    }";

/// What the letters of the pictures are configured with. Nobody is asked at any of these addresses.
const SETTINGS: [(&str, &str); 10] = [
    ("DATABASE_URL", "postgres://localhost/none"),
    ("REDIS_URL", "redis://localhost"),
    ("PORTCULLIS__TOKENS__ISSUER", "https://auth.example.com"),
    ("PORTCULLIS__TOKENS__AUDIENCE", "example"),
    (
        "PORTCULLIS__SECRETS__MASTER_KEY",
        "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQBaUe3P0iZ9s=",
    ),
    ("PORTCULLIS__MAIL__TRANSPORT", "file"),
    ("PORTCULLIS__MAIL__FOLDER", "never-written"),
    ("PORTCULLIS__MAIL__FROM", "Box Office <no-reply@example.com>"),
    ("PORTCULLIS__MAIL__REPLY_TO", "help@example.com"),
    ("PORTCULLIS__MAIL__FRONT_END_URL", "https://www.example.com"),
];

/// One letter.
struct Letter {
    name: String,
    subject: String,
    html: String,
}

/// Makes the pictures anew, with the page that shows them.
pub fn run(workspace: &Workspace) -> Result<()> {
    let work = workspace.target_dir().join("xtask/pictures");
    fs::create_dir_all(&work).context("there is no place to work in")?;
    let letters = compose(workspace, &work)?;
    let browser = Browser::find(workspace, &work)?;
    let heights = browser.measure(&letters)?;

    let folder = workspace.root().join(FOLDER);
    fs::create_dir_all(&folder).context("the folder of the pictures cannot be made")?;
    remove_pictures(&folder)?;
    for letter in &letters {
        let height = heights.get(&letter.name).and_then(Value::as_u64);
        let height = height.with_context(|| format!("{} has no height", letter.name))?;
        let picture = folder.join(&letter.name).with_extension("png");
        browser.picture(letter, height, &picture)?;
        let size = picture.metadata().context("a picture is missing")?.len();
        ui::line(&format!("  {}: {WIDTH} × {height}, {size} bytes", letter.name));
    }
    fs::write(folder.join("README.md"), page(&letters)).context("the page cannot be written")
}

/// Lets the command line compose every letter.
fn compose(workspace: &Workspace, work: &Path) -> Result<Vec<Letter>> {
    dev::build_programs(workspace)?;
    let preview = || {
        let mut command = workspace.command(workspace.bin_dir().join("portcullis"));
        command.env_clear().envs(SETTINGS).current_dir(work).args([
            "mail",
            "preview",
            "--tenant-name",
            "Box Office",
        ]);
        command
    };
    let list = process::text(&mut preview())?;
    process::text(preview().args(["--html", "--out", "."]))?;
    let letters = list.lines().map(|line| {
        let (name, subject) = line.split_once(' ').context("a letter without a subject")?;
        let file = work.join(name).with_extension("html");
        Ok(Letter {
            name: name.to_owned(),
            subject: subject.trim().to_owned(),
            html: fs::read_to_string(file).with_context(|| format!("{name} was not composed"))?,
        })
    });
    letters.collect()
}

struct Browser<'a> {
    workspace: &'a Workspace,
    program: PathBuf,
    work: &'a Path,
}

impl<'a> Browser<'a> {
    fn find(workspace: &'a Workspace, work: &'a Path) -> Result<Self> {
        let program = ["chromium", "chromium-browser", "google-chrome"]
            .iter()
            .find_map(|name| on_path(name))
            .context("there is no Chromium")?;
        Ok(Self {
            workspace,
            program,
            work,
        })
    }

    /// One that leaves nothing outside of the build folder.
    fn start(&self) -> Command {
        let mut command = self.workspace.command(&self.program);
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(name, self.work);
        }
        let profile = self.work.join("profile");
        command
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()));
        command
    }

    /// How high each letter is, by its name.
    fn measure(&self, letters: &[Letter]) -> Result<Map<String, Value>> {
        let all: Map<String, Value> = letters
            .iter()
            .map(|letter| (letter.name.clone(), letter.html.clone().into()))
            .collect();
        // Within a script, `</` might end it.
        let all = Value::Object(all).to_string().replace("</", "<\\/");
        let page = self.work.join("measure.html");
        let script = format!("const letters = {all}; const width = {WIDTH}; {MEASURE}");
        fs::write(
            &page,
            format!("<!doctype html><meta charset=utf-8><title></title><body><script>{script}</script>"),
        )
        .context("the page to measure cannot be written")?;
        let shown = process::text(
            self.start()
                .args(["--virtual-time-budget=10000", "--dump-dom"])
                .arg(&page),
        )?;
        let title = shown
            .split_once("<title>")
            .and_then(|(_, rest)| rest.split_once("</title>"));
        match title.map(|(title, _)| serde_json::from_str(title)) {
            Some(Ok(Value::Object(heights))) => Ok(heights),
            _ => bail!("the browser has measured nothing"),
        }
    }

    fn picture(&self, letter: &Letter, height: u64, file: &Path) -> Result<()> {
        let mut command = self.start();
        command
            .arg(format!("--window-size={WIDTH},{height}"))
            .arg(format!("--screenshot={}", file.display()))
            .arg(self.work.join(&letter.name).with_extension("html"));
        process::text(&mut command)?;
        Ok(())
    }
}

/// Those of letters that are written no longer go with the others.
fn remove_pictures(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).context("the folder of the pictures cannot be read")? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "png") {
            fs::remove_file(&file).with_context(|| format!("{} cannot be removed", file.display()))?;
        }
    }
    Ok(())
}

/// The page that shows them.
fn page(letters: &[Letter]) -> String {
    let mut page = "# What people are written\n\n\
        Every letter, as a telephone shows it. `cargo xtask pictures` makes this page and its pictures from `portcullis mail preview`, which \
        shows the letters as your configuration has them.\n"
        .to_owned();
    for Letter { name, subject, .. } in letters {
        let _infallible = write!(page, "\n## {name}\n{subject}\n\n![{subject}]({name}.png)\n");
    }
    page
}
