//! The files of an AOF directory and the lines of its manifest, after every step that changes them, equal those of redis-server.
//!
//! Called by main. The steps are run on both servers; of incr files it is compared whether they are empty (texts of commands may differ in
//! what a server adds, like SELECT). Annotations do not count: a new incr file of ours begins with one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::aof::rewrite;
use crate::support::annotations::without_annotations;
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

/// Waited for what is done in the background.
const LIMIT: Duration = Duration::from_secs(5);
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
        "an empty base as commands",
        &[
            Step::Restart(&["--appendonly", "yes", "--aof-use-rdb-preamble", "no"]),
            Step::Command("SET a 1"),
            Step::Restart(ON),
            Step::Command("GET a"),
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
    let files = directory.files().into_keys().filter_map(|name| {
        // It may have gone since it was listed.
        let bytes = std::fs::read(directory.path().join(&name)).ok()?;
        let content = if name.ends_with(".manifest") {
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            (if without_annotations(&bytes).is_empty() { "empty" } else { "not empty" }).to_owned()
        };
        Some((name, content))
    });
    (files.collect(), reply)
}

/// Every numbered file is in the manifest, none as history: nothing is left to be removed.
fn is_tidy(picture: &Picture) -> bool {
    let manifest = picture.0.iter().find(|(name, _)| name.ends_with(".manifest"));
    let Some((_, lines)) = manifest else { return true };
    let listed = |name: &str| lines.contains(name.rsplit('/').next().unwrap_or(name));
    let numbered = |name: &str| name.contains(".base.") || name.contains(".incr.");
    picture.0.keys().all(|name| !numbered(name) || listed(name))
}

/// The pictures after each step; old files are unlinked in the background, so each is waited for: `wanted`, or a tidy one.
fn tell(plan: &Plan, story: &[Step], wanted: Option<&[Picture]>) -> Vec<Picture> {
    let directory = Directory::new("layout");
    let mut server: Option<Server> = None;
    let mut pictures = Vec::new();
    for (number, step) in story.iter().enumerate() {
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
        let mut now = picture(&directory, reply.clone());
        wait_until(LIMIT, || {
            now = picture(&directory, reply.clone());
            wanted.map_or_else(|| is_tidy(&now), |wanted| now == wanted[number])
        });
        pictures.push(now);
    }
    pictures
}

#[test]
fn the_layout_is_redis_own_after_every_step() {
    for (name, story) in STORIES {
        let theirs = tell(&Plan::redis(), story, None);
        let ours = tell(&Plan::shoal(2), story, Some(&theirs));
        for ((step, ours), theirs) in story.iter().zip(&ours).zip(&theirs) {
            assert_eq!(ours, theirs, "{name}: after {step:?} (ours, then redis')");
        }
    }
}
