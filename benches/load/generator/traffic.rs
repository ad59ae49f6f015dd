//! What the generator sends: which command, which key, rendered as RESP into a send buffer.
//!
//! Called by the generator for every batch. Invariant: every key is exactly 16 bytes, `key:` and 12 digits, the form
//! redis-benchmark uses, so both drivers meet the same keys. Bounds: 10^12 keys.
//! Why templates: rendering a request is two copies and 12 digits, far below what the server spends on it.

/// The kind of request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Traffic {
    /// SET key value.
    Set,
    /// SET key value, the value of random bytes (the same for every key): no compression makes it smaller.
    SetRandom,
    /// GET key.
    Get,
    /// GET in this many percent of requests, SET in the rest.
    Mixed(u8),
    /// INCR key (of the range beside the strings': `ctr:` and 12 digits).
    Incr,
    /// PING.
    Ping,
}

impl Traffic {
    /// Lower-case name, as `redis-benchmark -t` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Traffic::Set | Traffic::SetRandom => "set",
            Traffic::Get => "get",
            Traffic::Mixed(_) => "mixed",
            Traffic::Incr => "incr",
            Traffic::Ping => "ping",
        }
    }
}

/// Which key a request takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    /// Uniform from 0..range.
    Random {
        /// Number of keys.
        range: u64,
    },
    /// 0, 1, 2 … in the order of sending.
    Sequential,
}

/// Renders requests one after the other.
pub struct Renderer {
    traffic: Traffic,
    keys: Keys,
    sent: u64,
    random: u64,
    set: Template,
    get: Template,
    incr: Template,
}

/// The bytes of a request and where the key's digits stand in them.
struct Template {
    bytes: Vec<u8>,
    digits_at: usize,
}

impl Template {
    fn new(args: &[&[u8]]) -> Template {
        let bytes = crate::client::encode(args);
        let digits_at = memchr::memmem::find(&bytes, DIGITS).unwrap_or(0);
        Template { bytes, digits_at }
    }

    fn render(&self, key: u64, out: &mut Vec<u8>) {
        let start = out.len() + self.digits_at;
        out.extend_from_slice(&self.bytes);
        let mut rest = key;
        for digit in out[start..start + DIGITS.len()].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
}

const DIGITS: &[u8] = b"000000000000";

impl Renderer {
    /// A renderer; equal seeds give equal requests.
    pub fn new(traffic: Traffic, keys: Keys, value_size: usize, seed: u64) -> Renderer {
        let mut value = vec![b'x'; value_size];
        if traffic == Traffic::SetRandom {
            let mut random = Renderer::new(Traffic::Ping, keys, 0, seed);
            value.iter_mut().for_each(|byte| *byte = random.next_below(256) as u8);
        }
        Renderer {
            traffic,
            keys,
            sent: 0,
            random: seed,
            set: Template::new(&[b"SET", b"key:000000000000", &value]),
            get: Template::new(&[b"GET", b"key:000000000000"]),
            incr: Template::new(&[b"INCR", b"ctr:000000000000"]),
        }
    }

    /// Appends the next request.
    pub fn render(&mut self, out: &mut Vec<u8>) {
        let key = match self.keys {
            Keys::Random { range } => self.next_below(range),
            Keys::Sequential => self.sent,
        };
        self.sent += 1;
        match self.traffic {
            Traffic::Set | Traffic::SetRandom => self.set.render(key, out),
            Traffic::Get => self.get.render(key, out),
            Traffic::Incr => self.incr.render(key, out),
            Traffic::Ping => out.extend_from_slice(b"*1\r\n$4\r\nPING\r\n"),
            Traffic::Mixed(reads) => {
                let read = self.next_below(100) < u64::from(reads);
                if read { self.get.render(key, out) } else { self.set.render(key, out) }
            }
        }
    }

    /// splitmix64, scaled down by multiplication: no division, bias below 2^-40 for these ranges.
    fn next_below(&mut self, range: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * u128::from(range)) >> 64) as u64
    }
}
