//! A server full of things that commands change, and a look at all of them.
//!
//! Used by [`super::refusals`]. [`World::restore`] makes every kind of state there is: keys of all types in two databases, expiries, a stream's group, scripts, functions, users,
//! subscribers, a connection to kill and one to unblock, statistics, the configuration and its files; [`World::state`] reads them back, and what CLIENT LIST says of one connection.
//! Invariant: two equal states with a command in between mean that the command did nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::client::{Client, encode, wait_until};
use crate::support::reply::Value;
use crate::support::server::{Plan, Server};

/// Run in this order on an empty server; `"…"` is one word.
const FILL: &str = r##"
    SET str 10
    SET str2 20
    SET ttl x PXAT 99999999999999
    RPUSH list a b c
    RPUSH list2 z
    SADD set a b c
    SADD set2 b
    ZADD zset 1 a 2 b 3 c
    ZADD zset2 1 b
    HSET hash f 1 g 2
    XADD stream 1-1 f v
    XADD stream 2-1 f v
    XGROUP CREATE stream group 0
    XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >
    PFADD hll a b c
    PFADD hll2 d
    GEOADD geo 1 1 a 1.1 1.1 b
    SETBIT bits 7 1
    SELECT 1
    SET other 1
    SELECT 0
    GET nothing
    SCRIPT LOAD "return redis.call('SET', KEYS[1], 'by script')"
    SCRIPT LOAD "return redis.call('GET', KEYS[1])"
    FUNCTION LOAD "#!lua name=library\nredis.register_function('put', function(keys) return redis.call('SET', keys[1], 'by function') end)\nredis.register_function{function_name='get', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}"
    CONFIG SET maxmemory-samples 6
    CONFIG SET slowlog-log-slower-than 0
    CONFIG SET latency-monitor-threshold 1
    DEBUG SLEEP 0.003
    CONFIG SET slowlog-log-slower-than -1
    CONFIG SET latency-monitor-threshold 0
    ACL SETUSER bystander reset on nopass ~b* +get
"##;

/// What FUNCTION RESTORE brings.
const OTHER_LIBRARY: &str =
    r##"FUNCTION LOAD "#!lua name=other\nredis.register_function('two', function() return 2 end)""##;

/// Asked for by [`World::state`]; the keys' DUMP and expiry come on top.
const ASKED: [&str; 13] = [
    "DEBUG DIGEST",
    "DBSIZE",
    "CONFIG GET maxmemory-samples",
    "FUNCTION LIST WITHCODE",
    "PUBSUB NUMSUB channel",
    "PUBSUB SHARDNUMSUB shard",
    "PUBSUB NUMPAT",
    "PUBSUB CHANNELS",
    "SLOWLOG LEN",
    "LATENCY HISTORY command",
    "ACL USERS",
    "ACL GETUSER bystander",
    "ACL GETUSER default",
];
const KEYS: [&str; 17] = [
    "str", "str2", "ttl", "list", "list2", "set", "set2", "zset", "zset2", "hash", "stream", "hll", "hll2",
    "geo", "bits", "new", "new2",
];
/// What CLIENT LIST says of a connection and only its own commands change.
const CONNECTION: [&str; 12] =
    ["name", "db", "sub", "psub", "ssub", "multi", "watch", "flags", "redir", "resp", "lib-name", "lib-ver"];
const CONFIG: &str = "maxmemory-samples 5\n";
const USERS: &str = "user bystander on nopass ~c* +get\nuser default on nopass ~* &* +@all\n";

/// Everything a command may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(Vec<(String, Value)>);

impl State {
    /// What differs, for messages.
    pub fn difference(&self, other: &State) -> String {
        let pairs = self.0.iter().zip(&other.0).filter(|(one, two)| one != two);
        pairs.map(|(one, two)| format!("  {}: {:?} -> {:?}\n", one.0, one.1, two.1)).collect()
    }
}

/// The server and those who watch it.
pub struct World {
    /// The server.
    pub server: Server,
    /// The default user's connection.
    pub admin: Client,
    idle: Client,
    waiting: Client,
    listener: Client,
    heard: i64,
    config: PathBuf,
    users: PathBuf,
    /// Values of the table's placeholders.
    pub placeholders: BTreeMap<&'static str, Vec<u8>>,
}

/// Words of a line: separated by blanks, `"…"` is one word, in which `\n` is a new line.
pub fn words(line: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (number, part) in line.split('"').enumerate() {
        if number % 2 == 1 {
            all.push(part.replace("\\n", "\n"));
        } else {
            all.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    all
}

fn id_of(client: &mut Client) -> Vec<u8> {
    client.run("CLIENT ID").int().unwrap().to_string().into_bytes()
}

impl World {
    /// Starts the server; `restore` is still to be called.
    pub fn start(plan: Plan, name: &str) -> World {
        let path = |kind: &str| {
            std::env::temp_dir().join(format!("shoal-refusals-{}-{name}.{kind}", std::process::id()))
        };
        let (config, users) = (path("conf"), path("acl"));
        fs::write(&config, CONFIG).unwrap();
        fs::write(&users, USERS).unwrap();
        let server = plan.config_file(&config).args(&["--aclfile", users.to_str().unwrap()]).start();
        let connect = || server.connect();
        World {
            admin: connect(),
            idle: connect(),
            waiting: connect(),
            listener: connect(),
            heard: 0,
            config,
            users,
            placeholders: BTreeMap::new(),
            server,
        }
    }

    /// Makes everything as it was at first.
    pub fn restore(&mut self) {
        for line in ["CLIENT UNPAUSE", "FLUSHALL", "SCRIPT FLUSH", "FUNCTION FLUSH"] {
            self.admin.run(line);
        }
        self.admin.command(&words(OTHER_LIBRARY)).unwrap();
        let functions = self.admin.run("FUNCTION DUMP").bytes().unwrap().to_vec();
        self.admin.run("FUNCTION FLUSH");
        let mut shas = Vec::new();
        for line in FILL.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let value = self.admin.command(&words(line)).unwrap().value;
            assert!(!value.is_error(), "{line}: {value:?}");
            if line.starts_with("SCRIPT") {
                shas.push(value.bytes().unwrap().to_vec());
            }
        }
        if !self.server.plan.is_redis() {
            assert!(!self.admin.run("HPEXPIREAT hash 9999999999999 FIELDS 1 g").is_error());
        }
        // Somebody was refused.
        let mut stranger = self.server.connect();
        stranger.run("AUTH nobody x");
        fs::write(&self.config, CONFIG).unwrap();
        fs::write(&self.users, USERS).unwrap();
        self.idle = self.server.connect();
        self.waiting = self.server.connect();
        self.listener = self.server.connect();
        self.heard = 0;
        self.listener.run("SUBSCRIBE channel");
        self.listener.run("SSUBSCRIBE shard");
        let value = |client: &mut Client, line: &str| client.run(line).bytes().unwrap().to_vec();
        self.placeholders = BTreeMap::from([
            ("{victim}", id_of(&mut self.idle)),
            ("{blocked}", id_of(&mut self.waiting)),
            ("{dump}", value(&mut self.admin, "DUMP str")),
            ("{functions}", functions),
            ("{shag}", shas.pop().unwrap()),
            ("{sha}", shas.pop().unwrap()),
        ]);
        self.waiting.send(&["BLPOP", "empty", "0"]).unwrap();
        let blocked = |admin: &mut Client| admin.run("INFO clients").text().contains("blocked_clients:1\r");
        assert!(wait_until(Duration::from_secs(5), || blocked(&mut self.admin)), "nobody is blocked");
    }

    /// A table's words with their placeholders filled in.
    pub fn fill(&self, words: &[String]) -> Vec<Vec<u8>> {
        let fill = |word: &String| self.placeholders.get(word.as_str()).cloned();
        words.iter().map(|word| fill(word).unwrap_or_else(|| word.clone().into_bytes())).collect()
    }

    /// How many messages reached the subscriber so far.
    fn heard(&mut self) -> i64 {
        self.listener.send(&["PING"]).unwrap();
        loop {
            let said = self.listener.read().unwrap().value;
            match said.items().unwrap()[0].text().as_str() {
                "pong" => return self.heard,
                _ => self.heard += 1,
            }
        }
    }

    /// What there is, and what is known of connection `id`.
    pub fn state(&mut self, id: i64) -> State {
        // Statistics first: what follows counts misses.
        let told =
            ["INFO stats", "INFO clients", "INFO memory", "INFO replication", "CLIENT LIST", "ACL LOG 1"];
        let mut lines: Vec<String> = told.iter().chain(&ASKED).map(|line| (*line).to_owned()).collect();
        lines.extend(KEYS.iter().flat_map(|key| [format!("DUMP {key}"), format!("PEXPIRETIME {key}")]));
        if !self.server.plan.is_redis() {
            lines.push("HPEXPIRETIME hash FIELDS 2 f g".to_owned());
        }
        let shas = ["{sha}", "{shag}"].map(|name| self.placeholders[name].clone());
        let shas = shas.map(|sha| String::from_utf8(sha).unwrap()).join(" ");
        lines.push(format!("SCRIPT EXISTS {shas}"));
        let wire: Vec<u8> = lines.iter().flat_map(|line| encode(&words(line))).collect();
        self.admin.send_raw(&wire).unwrap();
        let mut told: Vec<(String, Value)> =
            lines.into_iter().map(|line| (line, self.admin.read().unwrap().value)).collect();
        let mut state = told.split_off(6);
        let text = |at: usize| told[at].1.text();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.to_owned()
        };
        let mut add =
            |name: &str, value: String| state.push((name.to_owned(), Value::Bulk(value.into_bytes())));
        add("misses", (field(&text(0), "keyspace_misses:") == "keyspace_misses:0").to_string());
        add("blocked", field(&text(1), "blocked_clients:"));
        add("scripts", field(&text(2), "number_of_cached_scripts:"));
        add("replication id", field(&text(3), "master_replid:"));
        let rows = text(4);
        let row = |id: &str| rows.lines().find(|row| row.starts_with(&format!("id={id} ")));
        let victim = String::from_utf8_lossy(&self.placeholders["{victim}"]).into_owned();
        add("the victim lives", row(&victim).is_some().to_string());
        let kept: Vec<&str> = row(&id.to_string())
            .unwrap_or("closed")
            .split(' ')
            .filter(|field| CONNECTION.contains(&field.split('=').next().unwrap_or_default()))
            .collect();
        add("connection", kept.join(" "));
        add("ACL LOG is empty", told[5].1.items().is_some_and(<[Value]>::is_empty).to_string());
        let file = |path| fs::read_to_string(path).unwrap_or_default();
        add("configuration file", file(&self.config));
        add("user file", file(&self.users));
        let heard = self.heard();
        state.push(("messages".to_owned(), Value::Int(heard)));
        State(state)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.config);
        let _ = fs::remove_file(&self.users);
    }
}
