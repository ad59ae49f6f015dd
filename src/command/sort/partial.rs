//! A quicksort that sorts only what a range of the result needs.
//!
//! Called by `order` for BY with LIMIT. The scheme is Bentley's and McIlroy's ("Engineering a Sort Function", 1993: median of three or nine,
//! equal elements kept at both ends), skipping parts outside the wanted range. Invariant: inside the range the result is that of a full sort. Bounds: n log n on
//! average; recursion goes into the left part only. Why this scheme: redis uses it, and the order it gives equal elements is visible in replies.

use std::cmp::Ordering;

/// Below this many elements insertion is faster.
const INSERTION: usize = 7;
/// From this many on the middle is chosen among nine.
const NINE: usize = 40;

/// Sorts `items` as far as the places `from..to` need.
pub fn sort_part<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering, from: usize, to: usize) {
    if from < to {
        part(items, compare, from, to - 1);
    }
}

/// Sorts what the places `from..=to` need; they may lie partly beside `items`.
fn part<T>(mut items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering, mut from: usize, mut to: usize) {
    loop {
        let len = items.len();
        if len < INSERTION {
            for end in 1..len {
                let mut at = end;
                while at > 0 && compare(&items[at - 1], &items[at]).is_gt() {
                    items.swap(at - 1, at);
                    at -= 1;
                }
            }
            return;
        }
        items.swap(0, middle(items, compare));
        let (less, greater) = partition(items, compare);
        if less > 1 && from < less {
            part(&mut items[..less], compare, from, to.min(less - 1));
        }
        let start = len - greater;
        if greater <= 1 || to < start {
            return;
        }
        items = &mut items[start..];
        (from, to) = (from.saturating_sub(start), to - start);
    }
}

/// The index of the element to divide by.
fn middle<T>(items: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let len = items.len();
    let (mut low, mut mid, mut high) = (0, len / 2, len - 1);
    if len == INSERTION {
        return mid;
    }
    let median = |a: usize, b: usize, c: usize| {
        let is_less = |left: usize, right: usize| compare(&items[left], &items[right]).is_lt();
        let is_greater = |left: usize, right: usize| compare(&items[left], &items[right]).is_gt();
        if is_less(a, b) {
            if is_less(b, c) {
                b
            } else if is_less(a, c) {
                c
            } else {
                a
            }
        } else if is_greater(b, c) {
            b
        } else if is_less(a, c) {
            a
        } else {
            c
        }
    };
    if len > NINE {
        let step = len / 8;
        low = median(low, low + step, low + 2 * step);
        mid = median(mid - step, mid, mid + step);
        high = median(high - 2 * step, high - step, high);
    }
    median(low, mid, high)
}

/// Divides by the first element; returns how many are less and how many greater.
fn partition<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> (usize, usize) {
    let len = items.len();
    // equal | less | unknown | greater | equal; `high` and `high_equal` are one past their places.
    let (mut low_equal, mut low, mut high, mut high_equal) = (1, 1, len, len);
    loop {
        while low < high {
            let ordering = compare(&items[low], &items[0]);
            if ordering.is_gt() {
                break;
            }
            if ordering.is_eq() {
                items.swap(low_equal, low);
                low_equal += 1;
            }
            low += 1;
        }
        while low < high {
            let ordering = compare(&items[high - 1], &items[0]);
            if ordering.is_lt() {
                break;
            }
            if ordering.is_eq() {
                high_equal -= 1;
                items.swap(high - 1, high_equal);
            }
            high -= 1;
        }
        if low >= high {
            break;
        }
        items.swap(low, high - 1);
        low += 1;
        high -= 1;
    }
    let (less, greater) = (low - low_equal, high_equal - high);
    let moved = low_equal.min(less);
    (0..moved).for_each(|at| items.swap(at, low - moved + at));
    let moved = greater.min(len - high_equal);
    (0..moved).for_each(|at| items.swap(low + at, len - moved + at));
    (less, greater)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn the_range_is_that_of_a_full_sort() {
        let mut prng = Prng::new(3);
        for round in 0..3000 {
            let len = prng.below(120) as usize;
            let spread = [2, 10, 1000][round % 3];
            let items: Vec<u64> = (0..len).map(|_| prng.below(spread)).collect();
            let mut full = items.clone();
            full.sort_unstable();
            let from = prng.below(len as u64 + 1) as usize;
            let to = from + prng.below((len - from) as u64 + 1) as usize;
            let mut sorted = items;
            sort_part(&mut sorted, &u64::cmp, from, to);
            assert_eq!(sorted[from..to], full[from..to]);
            sorted.sort_unstable();
            assert_eq!(sorted, full);
        }
    }
}
