//! DEBUG DIGEST and DEBUG DIGEST-VALUE: redis' order-free SHA-1 sum over the data set.
//!
//! Called by the DEBUG command; each core sums its share of each database with [`database_digest`], the coordinator joins
//! them with [`combine_digests`]. Scheme (facts of redis' debug.c): xor = d ^= SHA1(data); mix = d ^= SHA1(data), d = SHA1(d). A key: mix key,
//! mix type u32 BE, value, "!!expire!!" xored if it has an expiry. The sum: per non-empty database mix its index u32 BE, then xor each key's digest.
use super::Keyspace;
use super::entry::{Entry, ValueRef, ValueType};
use crate::base::number::write_double;
use crate::types::element::Element;
use crate::types::field::NEVER;
use crate::types::stream::StreamId;
use sha1::{Digest as _, Sha1};

/// A SHA-1 sized sum.
pub type Digest = [u8; 20];

/// redis' number of the type.
fn type_number(value_type: ValueType) -> u32 {
    match value_type {
        ValueType::String => 0,
        ValueType::List => 1,
        ValueType::Set => 2,
        ValueType::ZSet => 3,
        ValueType::Hash => 4,
        ValueType::Stream => 6,
    }
}

fn xor_raw(digest: &mut Digest, other: &Digest) {
    digest.iter_mut().zip(other).for_each(|(own, other)| *own ^= other);
}

fn xor(digest: &mut Digest, data: &[u8]) {
    xor_raw(digest, &Sha1::digest(data).into());
}

fn mix(digest: &mut Digest, data: &[u8]) {
    xor(digest, data);
    *digest = Sha1::digest(*digest).into();
}

fn mix_element(digest: &mut Digest, element: Element<'_>) {
    mix(digest, &element.to_bytes());
}

fn add_value(digest: &mut Digest, entry: Entry<'_>) {
    mix(digest, &type_number(entry.value_type()).to_be_bytes());
    match entry.value() {
        ValueRef::Int(number) => mix_element(digest, Element::Int(number)),
        ValueRef::Bytes(bytes) => mix(digest, bytes),
        ValueRef::Shared(bytes) => mix(digest, bytes),
        ValueRef::Hash(hash) => {
            for (field, value) in hash.iter() {
                let mut pair = Digest::default();
                mix_element(&mut pair, field);
                mix_element(&mut pair, value);
                // As redis 7.4, whose fields may expire.
                if hash.earliest_ms() != NEVER
                    && hash.expire_ms(&field.to_bytes()).is_some_and(|ms| ms != NEVER)
                {
                    xor(&mut pair, b"!!hexpire!!");
                }
                xor(digest, &pair);
            }
        }
        ValueRef::Stream(stream) => {
            for entry in stream.range(StreamId::MIN, StreamId::MAX, false) {
                mix(digest, format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                for (field, value) in entry.fields {
                    mix_element(digest, field);
                    mix_element(digest, value);
                }
            }
        }
        ValueRef::ZSet(set) => {
            let mut text = Vec::new();
            for (member, score) in set.iter() {
                let mut pair = Digest::default();
                mix_element(&mut pair, member);
                text.clear();
                write_double(&mut text, score);
                mix(&mut pair, &text);
                xor(digest, &pair);
            }
        }
        ValueRef::Set(set) => set.iter().for_each(|member| xor(digest, &member.to_bytes())),
        ValueRef::List(list) => list.walk(0).for_each(|item| mix_element(digest, item.element())),
    }
    if entry.expire_at().is_some() {
        xor(digest, b"!!expire!!");
    }
}

/// DEBUG DIGEST-VALUE of one key.
pub fn value_digest(entry: Entry<'_>) -> Digest {
    let mut digest = Digest::default();
    add_value(&mut digest, entry);
    digest
}

/// This core's share of a database; shares are combined by xor, which [`combine_digests`] does.
pub fn database_digest(keyspace: &Keyspace, db: usize) -> Digest {
    let mut sum = Digest::default();
    for entry in keyspace.dict(db).iter() {
        let mut digest = Digest::default();
        mix(&mut digest, entry.key());
        add_value(&mut digest, entry);
        xor(&mut sum, &digest);
    }
    sum
}

/// DEBUG DIGEST of everything, from all cores' shares: `(database, keys of the share, share)` in any order.
pub fn combine_digests(shares: &[(usize, u64, Digest)]) -> Digest {
    let databases = shares.iter().map(|share| share.0 + 1).max().unwrap_or(0);
    let mut digest = Digest::default();
    for db in 0..databases {
        let of_db = || shares.iter().filter(|share| share.0 == db);
        if of_db().all(|share| share.1 == 0) {
            continue;
        }
        mix(&mut digest, &(db as u32).to_be_bytes());
        of_db().for_each(|share| xor_raw(&mut digest, &share.2));
    }
    digest
}
