//! Services as `dev` and the tests run them: started, watched, stopped, with whatever they started themselves.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use xtask::{
    net,
    process::{Probe, Service, ServiceSpec, group, pidfile},
    stack::Database,
    workspace::Workspace,
};

/// A service that is a shell script; it is ready once the file `ready` is in its folder.
fn script(folder: &Path, text: &str) -> Service {
    let spec = ServiceSpec {
        name: "script".to_owned(),
        program: PathBuf::from("sh"),
        args: vec!["-c".to_owned(), text.to_owned()],
        env: vec![("FOLDER".to_owned(), folder.display().to_string())],
        user: None,
        stop: Signal::SIGTERM,
        grace: Duration::from_millis(500),
        probe: Probe::Program {
            words: ["test", "-e", &folder.join("ready").display().to_string()]
                .map(str::to_owned)
                .to_vec(),
        },
        deadline: Duration::from_secs(10),
        state_dir: folder.to_path_buf(),
    };
    Service::new(&Workspace::find().unwrap(), spec)
}

fn child_pid(folder: &Path) -> u32 {
    fs::read_to_string(folder.join("child"))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

fn lives(pid: u32) -> bool {
    // A zombie that nobody has waited for yet does not count.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

const WITH_A_CHILD: &str = "sleep 600 & echo $! > $FOLDER/child; touch $FOLDER/ready; wait";

#[test]
fn dropping_a_service_ends_it_and_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = script(folder.path(), WITH_A_CHILD);
    service.start().unwrap();
    let (leader, child) = (service.pid().unwrap(), child_pid(folder.path()));
    assert!(folder.path().join("run/script.pid").exists());
    assert!(lives(leader) && lives(child));
    drop(service);
    assert!(!lives(leader) && !lives(child));
    assert!(!folder.path().join("run/script.pid").exists());
}

#[test]
fn a_panic_ends_what_was_started() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let panicked = std::thread::spawn(move || {
        let mut service = script(&path, WITH_A_CHILD);
        service.start().unwrap();
        panic!("on purpose");
    })
    .join();
    assert!(panicked.is_err());
    assert!(!lives(child_pid(folder.path())));
}

#[test]
fn a_service_that_ignores_its_signal_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = script(
        folder.path(),
        "trap '' TERM; touch $FOLDER/ready; while :; do sleep 1; done",
    );
    service.start().unwrap();
    let leader = service.pid().unwrap();
    let began = Instant::now();
    service.stop();
    assert!(!group::exists(leader));
    assert!(began.elapsed() < Duration::from_secs(8));
}

#[test]
fn a_service_that_dies_takes_what_it_started_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = script(folder.path(), WITH_A_CHILD);
    service.start().unwrap();
    let leader = service.pid().unwrap();
    kill(Pid::from_raw(leader.try_into().unwrap()), Signal::SIGKILL).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let status = loop {
        if let Some(status) = service.ended() {
            break status;
        }
        assert!(
            Instant::now() < deadline,
            "the end of the service was not noticed"
        );
        std::thread::yield_now();
    };
    assert!(!status.success());
    assert!(!lives(child_pid(folder.path())));
    assert_eq!(service.pid(), None);
}

#[test]
fn a_service_that_cannot_start_shows_the_end_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = script(folder.path(), "echo the very reason; exit 3");
    let error = service.start().unwrap_err().to_string();
    assert!(
        error.contains("the very reason") && error.contains("exit status: 3"),
        "{error}"
    );
}

#[test]
fn what_a_killed_run_left_behind_is_stopped_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = script(folder.path(), WITH_A_CHILD);
    service.start().unwrap();
    let (leader, child) = (service.pid().unwrap(), child_pid(folder.path()));
    // As after SIGKILL: nothing was dropped, and nobody waits for the leader.
    std::mem::forget(service);
    assert_eq!(pidfile::sweep(&folder.path().join("run")), ["script"]);
    assert!(!lives(leader) && !lives(child));
}

#[test]
fn a_database_of_its_own_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::find().unwrap();
    let database = Database::start(&workspace, folder.path()).unwrap();
    let port: u16 = database.url().rsplit([':', '/']).nth(1).unwrap().parse().unwrap();
    assert!(!net::is_free(port));
    let mut psql = xtask::stack::client(&workspace, "psql", "--dbname", database.url()).unwrap();
    assert_eq!(
        xtask::process::text(psql.args(["-Atc", "select 1 + 1"])).unwrap(),
        "2"
    );
    let another = xtask::stack::create_database(&workspace, database.url(), "another").unwrap();
    assert!(another.ends_with("/another"));
    // A folder that nobody else may enter, as temporary ones are.
    let data = fs::canonicalize(folder.path().join("postgres")).unwrap();
    drop(database);
    assert!(!data.exists());
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
    assert_eq!(fs::read_dir(folder.path().join("run")).unwrap().count(), 0);
}

#[test]
fn a_cleared_state_folder_is_empty_but_for_its_lock() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::find().unwrap();
    let inner = folder.path().join("inner");
    drop(Database::start(&workspace, &inner).unwrap());
    xtask::stack::clear(&workspace, folder.path()).unwrap();
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["lock"]);
}
