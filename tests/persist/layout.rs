//! The files of an AOF directory and the lines of its manifest, after every step that changes them, equal those of redis-server.
//!
//! Called by main. The steps are run on both servers; sizes are compared for incr files only when they are empty (texts of commands may differ in
//! what a server adds, like SELECT).

use std::collections::BTreeMap;

use crate::aof::rewrite;
use crate::support::client::wait_until;
use crate::support::directory::Directory;
use crate::support::server::{Plan, Server};

/// What a step does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Command(&'static str),
    Rewrite,
    Restart(&'static [&'static str]),
    Kill(&'static [&'static str]),
}

const ON: &[&str] = &["--appendonly", "yes"];

const STORIES: &[(&str, &[Step])] = &[
    (
        "fresh start and restarts",
        &[Step::Restart(ON), Step::Command("SET a 1"), Step::Restart(ON), Step::Kill(ON)],
    ),
    (
        "rewrites",
        &[
            Step::Restart(ON),
            Step::Rewrite,
            Step::Command("SET a 1"),
            Step::Rewrite,
            Step::Rewrite,
            Step::Restart(ON),
            Step::Rewrite,
            Step::Command("FLUSHALL"),
            Step::Rewrite,
        ],
    ),
    (
        "the base as commands",
        &[
            Step::Restart(&["--appendonly", "yes", "--aof-use-rdb-preamble", "no"]),
            Step::Command("SET a 1"),
            Step::Rewrite,
            Step::Restart(ON),
            Step::Rewrite,
        ],
    ),
    (
        "switched on and off at run time",
        &[
            Step::Restart(&[]),
            Step::Command("SET a 1"),
            Step::Command("CONFIG SET appendonly yes"),
            Step::Command("SET a 2"),
            Step::Command("CONFIG SET appendonly no"),
            Step::Command("SET a 3"),
            Step::Command("CONFIG SET appendonly yes"),
            Step::Restart(ON),
        ],
    ),
    (
        "other names",
        &[
            Step::Restart(&["--appendonly", "yes", "--appendfilename", "log", "--appenddirname", "logs"]),
            Step::Command("SET a 1"),
            Step::Rewrite,
            Step::Restart(&[
                "--appendonly",
                "yes",
                "--appendfilename",
                "log of all",
                "--appenddirname",
                "logs",
            ]),
            Step::Rewrite,
        ],
    ),
    (
        "history kept",
        &[
            Step::Restart(&["--appendonly", "yes", "--aof-disable-auto-gc", "yes"]),
            Step::Command("SET a 1"),
            Step::Rewrite,
            Step::Rewrite,
            Step::Command("CONFIG SET aof-disable-auto-gc no"),
            Step::Rewrite,
        ],
    ),
    (
        "an AOF beside an older RDB",
        &[
            Step::Restart(&[]),
            Step::Command("SET a 1"),
            Step::Command("SAVE"),
            Step::Restart(ON),
            Step::Command("SET b 1"),
            Step::Restart(ON),
            Step::Command("GET b"),
            Step::Command("GET a"),
        ],
    ),
];

/// Names with "empty" or "not", manifests whole, and the replies.
type Picture = (BTreeMap<String, String>, String);

fn picture(directory: &Directory, reply: String) -> Picture {
    let files = directory.files().into_iter().map(|(name, size)| {
        let content = if name.ends_with(".manifest") {
            String::from_utf8_lossy(&directory.read(&name)).into_owned()
        } else {
            (if size == 0 { "empty" } else { "not empty" }).to_owned()
        };
        (name, content)
    });
    (files.collect(), reply)
}

fn tell(plan: &Plan, story: &[Step]) -> Vec<Picture> {
    let directory = Directory::new("layout");
    let mut server: Option<Server> = None;
    let mut pictures = Vec::new();
    for step in story {
        let mut reply = String::new();
        match step {
            Step::Command(line) => {
                let running = server.as_ref().expect("started");
                reply = running.connect().run(line).text();
                running.wait_info("aof_rewrite_in_progress", "0");
            }
            Step::Rewrite => rewrite(server.as_ref().expect("started")),
            Step::Restart(options) | Step::Kill(options) => {
                if let Some(mut old) = server.take() {
                    if matches!(step, Step::Kill(_)) {
                        old.kill()
                    } else {
                        assert!(old.terminate().success())
                    }
                }
                server = Some(plan.clone().args(options).data(directory.path()).start());
            }
        }
        // Old files are unlinked in the background.
        let mut now = picture(&directory, reply.clone());
        wait_until(std::time::Duration::from_millis(300), || {
            let next = picture(&directory, reply.clone());
            let same = next == now;
            now = next;
            same
        });
        pictures.push(now);
    }
    pictures
}

#[test]
fn the_layout_is_redis_own_after_every_step() {
    for (name, story) in STORIES {
        let (ours, theirs) = (tell(&Plan::shoal(2), story), tell(&Plan::redis(), story));
        for ((step, ours), theirs) in story.iter().zip(&ours).zip(&theirs) {
            assert_eq!(ours, theirs, "{name}: after {step:?} (ours, then redis')");
        }
    }
}
