//! CRC-64/Jones, the checksum at the end of RDB files and DUMP payloads.
//!
//! Called by rdb and migration code; calls nothing. Reflected, polynomial 0xad93d23594c935a9, start 0, no final xor.
//! Invariant: `crc64(crc64(0, a), b) == crc64(0, ab)`. Tables (16 KB) are made at compile time; eight bytes a step
//! because a snapshot sums gigabytes.

const POLYNOMIAL_REFLECTED: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();

static TABLES: [[u64; 256]; 8] = build_tables();

const fn build_tables() -> [[u64; 256]; 8] {
    let mut tables = [[0u64; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL_REFLECTED } else { sum >> 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut row = 1;
    while row < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[row - 1][byte];
            tables[row][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        row += 1;
    }
    tables
}

/// Continues the checksum `init` (0 at the start) over `data`.
pub fn crc64(init: u64, data: &[u8]) -> u64 {
    let mut crc = init;
    let (words, tail) = data.as_chunks::<8>();
    for word in words {
        let word = crc ^ u64::from_le_bytes(*word);
        crc = 0;
        for (index, table) in TABLES.iter().enumerate() {
            crc ^= table[usize::from((word >> (56 - 8 * index)) as u8)];
        }
    }
    for &byte in tail {
        crc = crc >> 8 ^ TABLES[0][usize::from(crc as u8 ^ byte)];
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_value_and_splits() {
        // The check value redis prints for its own test string.
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        let data: Vec<u8> = (0..1000u32).map(|n| (n * 7 % 251) as u8).collect();
        let whole = crc64(0, &data);
        for cut in 0..data.len() {
            assert_eq!(crc64(crc64(0, &data[..cut]), &data[cut..]), whole);
        }
    }
}
