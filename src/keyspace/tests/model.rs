//! Random commands on a keyspace and on a plain map, with expiry, compared after every step.
use super::prng;
use crate::base::prng::Prng;
use crate::keyspace::{Access, Expire, Key, Keyspace, NewValue, StrIn, ValueRef};
use crate::types::hash::{Hash, HashLimits};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Clone, PartialEq)]
enum Plain {
    Text(Vec<u8>),
    Fields(BTreeMap<Vec<u8>, Vec<u8>>),
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    value: Plain,
    expire_ms: Option<u64>,
}

struct World {
    space: Keyspace,
    model: [HashMap<Vec<u8>, Row>; 2],
    now_ms: u64,
    keys: u64,
}

fn random_text(prng: &mut Prng) -> Vec<u8> {
    match prng.below(10) {
        0..3 => (prng.next_u64() as i64 >> prng.below(64)).to_string().into_bytes(),
        3..8 => vec![b'a' + prng.below(26) as u8; prng.below(120) as usize],
        8 => vec![b'L'; prng.below(4000) as usize],
        _ => (0..prng.below(30)).map(|_| prng.next_u64() as u8).collect(),
    }
}

impl World {
    fn drop_overdue(&mut self) {
        let now = self.now_ms;
        for database in &mut self.model {
            database.retain(|_, row| row.expire_ms.is_none_or(|ms| now <= ms));
        }
    }

    fn check(&mut self, db: usize, name: &[u8]) {
        let entry = self.space.db(db, Access::at(self.now_ms)).read(&Key::new(name));
        let found = entry.map(|entry| {
            assert_eq!(entry.key(), name);
            let value = match entry.value() {
                ValueRef::Hash(hash) => Plain::Fields(
                    hash.iter()
                        .map(|(f, v)| (f.to_bytes().into_owned(), v.to_bytes().into_owned()))
                        .collect(),
                ),
                _ => {
                    let text = entry.text().unwrap().into_owned();
                    assert_eq!(entry.string_len(), Some(text.len()));
                    Plain::Text(text)
                }
            };
            Row { value, expire_ms: entry.expire_at() }
        });
        assert_eq!(found.as_ref(), self.model[db].get(name));
    }

    fn check_totals(&mut self) {
        for db in 0..2 {
            let totals = self.space.totals(db);
            assert_eq!(self.space.dict(db).recount(), totals);
        }
    }

    fn random_expire(&self, prng: &mut Prng) -> Option<u64> {
        (prng.below(3) == 0).then(|| self.now_ms + prng.below(3000))
    }

    fn set(&mut self, db: usize, name: Vec<u8>, prng: &mut Prng) {
        let now = self.now_ms;
        let text = random_text(prng);
        let (expire, keep) = match prng.below(3) {
            0 => (Expire::Keep, true),
            1 => (Expire::Clear, false),
            _ => (self.random_expire(prng).map_or(Expire::Clear, Expire::At), false),
        };
        let old = self.model[db].get(&name).and_then(|row| row.expire_ms);
        let expire_ms = if keep {
            old
        } else if let Expire::At(ms) = expire {
            Some(ms)
        } else {
            None
        };
        let value = match prng.below(8) {
            0 => StrIn::Plain(&text),
            1 => StrIn::Raw(&text),
            2 => StrIn::Shared(Bytes::copy_from_slice(&text)),
            _ => StrIn::Bytes(&text),
        };
        let created = self.space.db(db, Access::at(now)).set_string(&Key::new(&name), value, expire);
        assert_eq!(created, !self.model[db].contains_key(&name));
        self.model[db].insert(name, Row { value: Plain::Text(text), expire_ms });
    }

    fn edit_string(&mut self, db: usize, name: &[u8], prng: &mut Prng) {
        let key = Key::new(name);
        let entry = self.space.db(db, Access::at(self.now_ms)).write(&key);
        let (Some(mut entry), Some(row)) = (entry, self.model[db].get_mut(name)) else {
            assert!(!self.model[db].contains_key(name));
            return;
        };
        let Plain::Text(text) = &mut row.value else {
            assert!(!entry.append(b"x") && entry.bytes_mut().is_none() && !entry.resize(3));
            return;
        };
        match prng.below(4) {
            0 => {
                let more = random_text(prng);
                assert!(entry.append(&more));
                text.extend_from_slice(&more);
                assert_eq!(entry.get().encoding(), "raw");
            }
            1 => {
                let len = prng.below(3000) as usize;
                assert!(entry.resize(len));
                text.resize(len, 0);
            }
            2 => {
                let bytes = entry.bytes_mut().unwrap();
                assert_eq!(bytes, text);
                bytes.iter_mut().zip(text).for_each(|(own, model)| (*own, *model) = (*own ^ 1, *model ^ 1));
            }
            _ => {
                entry.set_string(StrIn::Int(7));
                *text = b"7".to_vec();
            }
        }
    }

    fn edit_hash(&mut self, db: usize, name: &[u8], prng: &mut Prng) {
        let key = Key::new(name);
        let limits = HashLimits { max_entries: 20, max_value: 64 };
        let now = self.now_ms;
        if !self.model[db].contains_key(name) {
            let _ = self.space.db(db, Access::at(now)).create(&key, NewValue::from(Hash::new()));
            let value = Plain::Fields(BTreeMap::new());
            self.model[db].insert(name.to_vec(), Row { value, expire_ms: None });
        }
        let Some(mut entry) = self.space.db(db, Access::at(now)).write(&key) else { panic!("just made") };
        let Some(row) = self.model[db].get_mut(name) else { panic!("just made") };
        let Plain::Fields(fields) = &mut row.value else {
            assert!(entry.get_mut::<Hash>().is_none());
            return;
        };
        let hash = entry.get_mut::<Hash>().unwrap();
        for _ in 0..prng.below(60) {
            let field = prng.below(80).to_string().into_bytes();
            if prng.below(3) > 0 {
                let value = random_text(prng);
                assert_eq!(hash.set(&field, &value, &limits), fields.insert(field, value).is_none());
            } else {
                assert_eq!(hash.remove(&field), fields.remove(&field).is_some());
            }
        }
        if fields.is_empty() {
            entry.remove();
            self.model[db].remove(name);
        }
    }

    fn step(&mut self, prng: &mut Prng) {
        let db = prng.below(2) as usize;
        let name = format!("k{}", prng.below(self.keys)).into_bytes();
        let access = Access::at(self.now_ms);
        match prng.below(100) {
            0..35 => self.set(db, name.clone(), prng),
            35..50 => self.edit_string(db, &name, prng),
            50..60 => self.edit_hash(db, &name, prng),
            60..68 => {
                let removed = self.space.db(db, access).remove(&Key::new(&name));
                assert_eq!(removed, self.model[db].remove(&name).is_some());
            }
            68..78 => {
                let expire_ms = self.random_expire(prng);
                let done = self.space.db(db, access).set_expire(&Key::new(&name), expire_ms);
                assert_eq!(done, self.model[db].contains_key(&name));
                if let Some(row) = self.model[db].get_mut(&name) {
                    row.expire_ms = expire_ms;
                }
            }
            78..84 => {
                let other = format!("k{}-long-enough-to-matter", prng.below(self.keys)).into_bytes();
                let to = prng.below(2) as usize;
                let taken = self.space.db(db, access).take(&Key::new(&name));
                assert_eq!(taken.is_some(), self.model[db].contains_key(&name));
                if let (Some(entry), Some(row)) = (taken, self.model[db].remove(&name)) {
                    self.space.db(to, access).put(&Key::new(&other), entry);
                    self.model[to].insert(other.clone(), row);
                    self.check(to, &other);
                }
            }
            84..90 => {
                self.now_ms += prng.below(400);
                self.drop_overdue();
            }
            90..93 => {
                self.space.expire_step(self.now_ms, 1 + prng.below(50) as usize);
                if prng.below(4) == 0 {
                    // The end of a round that was under way, then a whole one.
                    (0..2).for_each(|_| while !self.space.expire_step(self.now_ms, 9).is_done {});
                    for db in 0..2 {
                        assert_eq!(self.space.len(db), self.model[db].len() as u64);
                    }
                }
            }
            93 if prng.below(40) == 0 => {
                self.space.flush_db(db);
                self.model[db].clear();
            }
            94 => {
                self.space.swap_db(0, 1, self.now_ms);
                self.model.swap(0, 1);
            }
            _ => {
                self.space.free_step(prng.below(200) as usize);
            }
        }
        self.check(db, &name);
    }
}

fn run(steps: usize, keys: u64) {
    let mut prng = prng();
    let space = Keyspace::new(2, prng.next_u64());
    let mut world = World { space, model: [HashMap::new(), HashMap::new()], now_ms: 1_700_000_000_000, keys };
    for step in 0..steps {
        world.step(&mut prng);
        if step % (steps / 20) == 0 {
            world.check_totals();
        }
    }
    world.check_totals();
    for db in 0..2 {
        let names: Vec<_> = world.model[db].keys().cloned().collect();
        names.iter().for_each(|name| world.check(db, name));
    }
    world.space.flush_all();
    while !world.space.free_step(100) {}
    assert_eq!((world.space.bytes(), world.space.common.trash.pending()), (0, 0));
}

#[test]
fn few_keys_many_changes() {
    run(60_000, 200);
}

#[test]
fn many_keys() {
    run(150_000, 30_000);
}
