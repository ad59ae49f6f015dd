//! Sorts as much of a slice as a range of it needs, in the very order that redis' partial quicksort leaves equal elements in.
//!
//! Called by GEORADIUS and GEOSEARCH with COUNT (ties in distance are shown in this order), and by SORT BY with LIMIT. Method: Bentley and McIlroy's quicksort ("Engineering a Sort
//! Function", 1993) that passes over parts outside the range, as redis does. Invariant: the elements of the range are those of the sorted slice; elsewhere the order
//! is whatever the partitioning left. Bounds: O(n log n) on average; recursion on one side only.
//! Why not `select_nth_unstable` and a sort: equal elements would come in another order than redis'.
use std::cmp::Ordering;
use std::ops::Range;

/// Puts into place the elements of `range`; of an empty one, none.
pub fn partial_sort<T>(items: &mut [T], range: Range<usize>, compare: &impl Fn(&T, &T) -> Ordering) {
    if !range.is_empty() {
        sort(items, 0, &range, compare);
    }
}

/// Sorts `items`, which begin at `offset` of the whole.
fn sort<T>(
    mut items: &mut [T],
    mut offset: usize,
    range: &Range<usize>,
    compare: &impl Fn(&T, &T) -> Ordering,
) {
    let concerns = |from: usize, len: usize| range.end > from && range.start < from + len;
    loop {
        let len = items.len();
        if len < 7 {
            return insertion_sort(items, compare);
        }
        items.swap(0, pivot(items, compare));
        let (less, greater) = partition(items, compare);
        if less > 1 && concerns(offset, less) {
            sort(&mut items[..less], offset, range, compare);
        }
        if greater <= 1 || !concerns(offset + len - greater, greater) {
            return;
        }
        items = &mut items[len - greater..];
        offset += len - greater;
    }
}

fn insertion_sort<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    for from in 1..items.len() {
        let mut at = from;
        while at > 0 && compare(&items[at - 1], &items[at]) == Ordering::Greater {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// The index of the element to divide by: the middle of three, or of nine of a long slice.
fn pivot<T>(items: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let len = items.len();
    let median = |a: usize, b: usize, c: usize| {
        let order = |x: usize, y: usize| compare(&items[x], &items[y]);
        if order(a, b) == Ordering::Less {
            if order(b, c) == Ordering::Less {
                b
            } else if order(a, c) == Ordering::Less {
                c
            } else {
                a
            }
        } else if order(b, c) == Ordering::Greater {
            b
        } else if order(a, c) == Ordering::Less {
            a
        } else {
            c
        }
    };
    let (mut low, mut middle, mut high) = (0, len / 2, len - 1);
    if len == 7 {
        return middle;
    }
    if len > 40 {
        let step = len / 8;
        low = median(low, low + step, low + 2 * step);
        middle = median(middle - step, middle, middle + step);
        high = median(high - 2 * step, high - step, high);
    }
    median(low, middle, high)
}

/// Divides by the first element: smaller ones, equal ones, greater ones. How many are smaller and greater.
fn partition<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> (usize, usize) {
    let len = items.len();
    // Equal ones gather at both ends: [0, a) and (d, len).
    let (mut a, mut b) = (1, 1);
    let (mut c, mut d) = (len, len);
    loop {
        while b < c {
            match compare(&items[b], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(a, b);
                    a += 1;
                }
                Ordering::Less => {}
            }
            b += 1;
        }
        while b < c {
            match compare(&items[c - 1], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    d -= 1;
                    items.swap(c - 1, d);
                }
                Ordering::Greater => {}
            }
            c -= 1;
        }
        if b >= c {
            break;
        }
        items.swap(b, c - 1);
        b += 1;
        c -= 1;
    }
    // `b == c`: below are smaller or equal ones, from there on greater or equal ones. The equal ones go to the middle.
    let left = a.min(b - a);
    (0..left).for_each(|index| items.swap(index, b - left + index));
    let right = (d - c).min(len - d);
    (0..right).for_each(|index| items.swap(b + index, len - right + index));
    (b - a, d - c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn the_range_is_as_sorted() {
        let mut prng = Prng::new(1);
        for _ in 0..3000 {
            let len = 1 + prng.below(200);
            let mut items: Vec<u64> = (0..len).map(|_| prng.below(60)).collect();
            let mut sorted = items.clone();
            sorted.sort_unstable();
            let start = prng.below(len) as usize;
            let end = start + prng.below(len - start as u64) as usize;
            partial_sort(&mut items, start..end + 1, &u64::cmp);
            assert_eq!(items[start..=end], sorted[start..=end]);
            items.sort_unstable();
            assert_eq!(items, sorted);
        }
    }

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
            partial_sort(&mut sorted, from..to, &u64::cmp);
            assert_eq!(sorted[from..to], full[from..to]);
            sorted.sort_unstable();
            assert_eq!(sorted, full);
        }
    }
}
