//! Tests of the keyspace: seeded random ones against simple models. `SEED=` repeats one.
mod behaviour;
mod cut;
mod digests;
mod fields;
mod model;
mod scan;
mod tables;

use crate::base::prng::Prng;

/// The run's generator; prints the seed.
fn prng() -> Prng {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| Prng::from_entropy().next_u64() % 1_000_000);
    println!("SEED={seed}");
    Prng::new(seed)
}
