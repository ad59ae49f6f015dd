//! The 24 recency bits of an entry: redis' LRU clock, or its LFU counter with a decay clock.
//!
//! Used by `db` on every access and by `evict`, OBJECT IDLETIME and OBJECT FREQ. LRU: seconds mod 2^24. LFU: minutes mod
//! 2^16 in the upper 16 bits, a logarithmic counter in the lower 8. Switching the policy leaves the bits as they are, as redis does.
use crate::base::prng::Prng;

/// Counter of a new key.
const LFU_INIT: u32 = 5;
const LRU_MASK: u64 = 0xff_ffff;

/// Which clock runs, and its parameters (config: maxmemory-policy, lfu-log-factor, lfu-decay-time).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// LFU instead of LRU.
    pub lfu: bool,
    /// lfu-log-factor: how slowly the counter saturates.
    pub log_factor: u32,
    /// lfu-decay-time: minutes per step down; 0 = never.
    pub decay_minutes: u32,
}

impl Default for Freshness {
    fn default() -> Self {
        Self { lfu: false, log_factor: 10, decay_minutes: 1 }
    }
}

fn lru_clock(now_ms: u64) -> u32 {
    ((now_ms / 1000) & LRU_MASK) as u32
}

fn minutes(now_ms: u64) -> u32 {
    ((now_ms / 60_000) & 0xffff) as u32
}

/// The text of `bits` for an LFU word.
fn lfu_word(now_ms: u64, counter: u32) -> u32 {
    minutes(now_ms) << 8 | counter.min(255)
}

impl Freshness {
    /// Bits of a key created now.
    #[inline]
    pub fn initial(&self, now_ms: u64) -> u32 {
        if self.lfu { lfu_word(now_ms, LFU_INIT) } else { lru_clock(now_ms) }
    }

    /// Bits of a key read or written now.
    #[inline]
    pub fn touched(&self, bits: u32, now_ms: u64, prng: &mut Prng) -> u32 {
        if !self.lfu {
            return lru_clock(now_ms);
        }
        let counter = self.frequency(bits, now_ms);
        lfu_word(now_ms, self.increment(counter, prng))
    }

    /// Bits of a key whose value is replaced: LFU keeps its history.
    #[inline]
    pub fn replaced(&self, bits: u32, now_ms: u64) -> u32 {
        if self.lfu { bits } else { lru_clock(now_ms) }
    }

    fn increment(&self, counter: u32, prng: &mut Prng) -> u32 {
        if counter >= 255 {
            return 255;
        }
        let base = f64::from(counter.saturating_sub(LFU_INIT));
        let chance = 1.0 / (base * f64::from(self.log_factor) + 1.0);
        let dice = (prng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        counter + u32::from(dice < chance)
    }

    /// The decayed counter: OBJECT FREQ.
    pub fn frequency(&self, bits: u32, now_ms: u64) -> u32 {
        let elapsed = minutes(now_ms).wrapping_sub(bits >> 8 & 0xffff) & 0xffff;
        let steps = elapsed.checked_div(self.decay_minutes).unwrap_or(0);
        (bits & 0xff).saturating_sub(steps)
    }

    /// Time since the last access, ms: OBJECT IDLETIME (times 1000).
    pub fn idle_ms(&self, bits: u32, now_ms: u64) -> u64 {
        let elapsed = u64::from(lru_clock(now_ms)).wrapping_sub(u64::from(bits)) & LRU_MASK;
        elapsed * 1000
    }

    /// Bits that make `idle_ms` say `idle_ms` (RESTORE … IDLETIME).
    pub fn with_idle_ms(&self, idle_ms: u64, now_ms: u64) -> u32 {
        lru_clock(now_ms.saturating_sub(idle_ms))
    }

    /// Bits with this counter (RESTORE … FREQ).
    pub fn with_frequency(&self, counter: u8, now_ms: u64) -> u32 {
        lfu_word(now_ms, u32::from(counter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_grow_slowly_and_decay() {
        let lfu = Freshness { lfu: true, ..Freshness::default() };
        let mut prng = Prng::new(3);
        let now = 1_700_000_000_000;
        let mut bits = lfu.initial(now);
        for _ in 0..1_000_000 {
            bits = lfu.touched(bits, now, &mut prng);
        }
        assert!(lfu.frequency(bits, now) > 200, "{}", lfu.frequency(bits, now));
        assert_eq!(lfu.frequency(bits, now + 10 * 60_000), lfu.frequency(bits, now) - 10);
        let lru = Freshness::default();
        let bits = lru.initial(now);
        assert_eq!(lru.idle_ms(bits, now + 5000), 5000);
        assert_eq!(lru.idle_ms(lru.with_idle_ms(70_000, now), now), 70_000);
    }
}
