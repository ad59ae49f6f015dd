//! What string and bitmap commands leave in the log: as redis 7.0.15 wrote it to its append-only file.
use crate::command::cx::{Outcome, SlotMap, Spaces};
use crate::command::{Cx, rows};
use crate::config::{Config, Settings};
use crate::effect::Staging;
use crate::keyspace::{Access, Keyspace};
use crate::resp::{Out, OwnedCommand};

const NOW_MS: u64 = 1_000_000;

/// One core's keyspace with a log that is read.
struct Bench {
    space: Keyspace,
    settings: Settings,
    staging: Staging,
    map: SlotMap,
}

impl Bench {
    fn new() -> Bench {
        let settings = Settings::from(&Config::new());
        Bench { space: Keyspace::new(16, 1), settings, staging: Staging::default(), map: SlotMap::even(1) }
    }

    /// Runs a command (`{e}` is an empty word); its effects, one per line, words separated by blanks.
    fn run(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').map(|word| if word == "{e}" { "" } else { word }).collect();
        let command = OwnedCommand::from_words(&words);
        let row = rows::find(&words[0].to_ascii_lowercase()).unwrap();
        let (mut out, mut outcome) = (Out::new(), Outcome::default());
        let result = row.handler.unwrap()(&mut Cx {
            args: command.args(),
            out: &mut out,
            db: 0,
            now_ms: NOW_MS,
            wall_offset_ms: 0,
            settings: &self.settings,
            row,
            spaces: Spaces::One(&mut self.space),
            map: &self.map,
            access: Access::at(NOW_MS),
            known: crate::keyspace::Key::new(b""),
            staging: Some(&mut self.staging),
            outcome: &mut outcome,
        });
        assert_eq!(result, Ok(()), "{line}: {:?}", outcome.error_text);
        self.staging.close_unit();
        let Some((bytes, _)) = self.staging.take() else { return String::new() };
        let text = String::from_utf8(bytes).unwrap();
        let words = text.split("\r\n").filter(|word| !word.starts_with('$'));
        let mut line = words.fold(String::new(), |line, word| match word.strip_prefix('*') {
            Some(_) => line + "\n",
            None => line + " " + word,
        });
        line.pop();
        line.trim_start().replace("\n ", "\n")
    }

    fn check(&mut self, cases: &[(&str, &str)]) {
        for (line, effects) in cases {
            assert_eq!(self.run(line), *effects, "{line}");
        }
    }
}

#[test]
fn sets_leave_without_relative_times_and_get() {
    Bench::new().check(&[
        ("set k v", "set k v"),
        ("set k v ex 1000", "SET k v PXAT 2000000"),
        ("set k v px 5000 nx get", ""),
        ("set k w keepttl", "set k w keepttl"),
        ("set k v get", "set k v"),
        ("SET k v GeT NX", ""),
        ("set k v get xx get", "set k v xx"),
        ("set k v pxat 99999999999999 get", "SET k v PXAT 99999999999999"),
        ("set k v exat 99999999999", "SET k v PXAT 99999999999000"),
        ("setnx k v", ""),
        ("setnx n v", "setnx n v"),
        ("setex k 100 v", "SET k v PXAT 1100000"),
        ("psetex k 100000 v", "SET k v PXAT 1100000"),
        ("getset k v", "SET k v"),
        ("mset a 1 b 2", "mset a 1 b 2"),
        ("msetnx a 1 c 2", ""),
        ("msetnx c 1 e 2", "msetnx c 1 e 2"),
    ]);
}

#[test]
fn getdel_and_getex_leave_as_what_they_did() {
    let mut bench = Bench::new();
    bench.check(&[
        ("set k v", "set k v"),
        ("getdel k", "DEL k"),
        ("getdel k", ""),
        ("set k v", "set k v"),
        ("getex k ex 100", "PEXPIREAT k 1100000"),
        ("getex k persist", "PERSIST k"),
        ("getex k persist", ""),
        ("getex k", ""),
        ("getex k pxat 99999999999999", "PEXPIREAT k 99999999999999"),
        ("getex k exat 1", "DEL k"),
    ]);
    bench.settings.lazyfree_lazy_user_del = true;
    bench.check(&[("set k v", "set k v"), ("getdel k", "UNLINK k"), ("set k v", "set k v")]);
    bench.settings.lazyfree_lazy_expire = true;
    bench.check(&[("getex k exat 1", "UNLINK k"), ("get k", "")]);
}

#[test]
fn only_real_changes_leave() {
    Bench::new().check(&[
        ("append k x", "append k x"),
        ("append k {e}", "append k "),
        ("setrange k 5 x", "setrange k 5 x"),
        ("setrange k 0 {e}", ""),
        ("incr i", "incr i"),
        ("decrby i 5", "decrby i 5"),
        ("incrbyfloat i 1.5", "SET i -2.5 KEEPTTL"),
        ("incrbyfloat nf 3", "SET nf 3 KEEPTTL"),
        ("setbit k 7 1", "setbit k 7 1"),
        ("setbit k 7 1", ""),
        ("bitop or d i nf", "bitop or d i nf"),
        ("bitop or d x", "bitop or d x"),
        ("bitop or d x", ""),
        ("bitfield b set u8 0 0", "bitfield b set u8 0 0"),
        ("bitfield b set u8 0 0", ""),
        ("bitfield b get u8 0", ""),
        ("bitfield b incrby u8 8 4 get u1 0", "bitfield b incrby u8 8 4 get u1 0"),
        // Here redis leaves nothing although the key is there now: its replicas lack it.
        ("bitfield z overflow fail set u4 0 99", "bitfield z overflow fail set u4 0 99"),
    ]);
}
