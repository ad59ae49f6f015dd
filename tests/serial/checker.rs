//! Searches a history for proofs that it is not strictly serializable, in the manner of Elle (Kingsbury, Alvaro: VLDB 2020).
//!
//! Called by main and by its own tests; calls nothing. Every append's place is known from its reply and every read shows a
//! whole prefix, so the version order of each key is not guessed but read off. From it follow the edges
//! ww (next append of a key), wr (read saw this append last), rw (read did not see this append, which came next),
//! rt (ended before the other began), po (earlier in one pipeline). A cycle of these edges is a proof of a violation; no cycle
//! over all of them means that an order exists which explains everything. Cost: linear in history and edges: real time is a chain of extra
//! nodes, one per end of a transaction, instead of a quadratic number of edges.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::history::{History, Op, Token, Transaction};

/// What was found, with the transactions that prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// Its name in the literature.
    pub name: String,
    /// The proof in words.
    pub proof: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    WriteWrite,
    WriteRead,
    ReadWrite,
    Pipeline,
    RealTime,
}

/// Every anomaly found; empty for a strictly serializable history.
pub fn check(history: &History) -> Vec<Anomaly> {
    let mut anomalies = Vec::new();
    let orders = version_orders(history, &mut anomalies);
    check_reads(history, &orders, &mut anomalies);
    check_internal(history, &mut anomalies);
    if anomalies.is_empty() {
        let graph = build_graph(history, &orders);
        for component in components(&graph) {
            anomalies.push(explain(history, &graph, &component));
        }
    }
    anomalies
}

fn anomaly(name: &str, proof: String) -> Anomaly {
    Anomaly { name: name.to_owned(), proof }
}

/// For each key the tokens in version order with their writers, from the places that APPEND replied.
type Orders = BTreeMap<usize, Vec<(Token, usize)>>;

fn version_orders(history: &History, anomalies: &mut Vec<Anomaly>) -> Orders {
    let mut places: BTreeMap<usize, BTreeMap<usize, (Token, usize)>> = BTreeMap::new();
    for (index, transaction) in history.iter().enumerate() {
        for op in &transaction.ops {
            let Op::Append { key, token, position } = op else { continue };
            let before = places.entry(*key).or_default().insert(*position, (*token, index));
            if let Some((other, writer)) = before {
                let proof =
                    format!("key {key} place {position}: {token} by T{index} and {other} by T{writer}");
                anomalies.push(anomaly("two appends in one place (lost update)", proof));
            }
        }
    }
    let mut orders = Orders::new();
    for (key, by_place) in places {
        for (expected, position) in by_place.keys().enumerate() {
            if expected != *position {
                anomalies
                    .push(anomaly("a hole in the order of appends", format!("key {key} place {expected}")));
                break;
            }
        }
        orders.insert(key, by_place.into_values().collect());
    }
    orders
}

/// Every read is a prefix of its key's order: else it saw what nobody committed, or another order.
fn check_reads(history: &History, orders: &Orders, anomalies: &mut Vec<Anomaly>) {
    let nothing = Vec::new();
    for (index, transaction) in history.iter().enumerate() {
        for op in &transaction.ops {
            let Op::Read { key, tokens } = op else { continue };
            let order = orders.get(key).unwrap_or(&nothing);
            let expected = order.iter().map(|(token, _)| token);
            if tokens.len() > order.len() || !tokens.iter().eq(expected.take(tokens.len())) {
                let unknown = tokens.iter().find(|token| !order.iter().any(|(known, _)| known == *token));
                let name = if unknown.is_some() { "G1a (aborted read)" } else { "incompatible order" };
                anomalies.push(anomaly(
                    name,
                    format!("T{index} {} read key {key}: {tokens:?}", transaction.label),
                ));
            }
        }
    }
}

/// Within a transaction a read sees what the transaction itself did before, and its reads never go back.
fn check_internal(history: &History, anomalies: &mut Vec<Anomaly>) {
    for (index, transaction) in history.iter().enumerate() {
        let mut least: BTreeMap<usize, usize> = BTreeMap::new();
        for op in &transaction.ops {
            let (key, length, least_length) = match op {
                Op::Append { key, position, .. } => {
                    (*key, position + 1, least.get(key).map_or(0, |seen| seen + 1))
                }
                Op::Read { key, tokens } => (*key, tokens.len(), least.get(key).copied().unwrap_or(0)),
            };
            if length < least_length {
                let proof = format!("T{index} {}: key {key} shrank to {length}", transaction.label);
                anomalies.push(anomaly("internal", proof));
            }
            least.insert(key, length);
        }
    }
}

/// Nodes below `history.len()` are transactions, the others are moments.
struct Graph {
    edges: Vec<Vec<(usize, Edge)>>,
    transactions: usize,
}

fn build_graph(history: &History, orders: &Orders) -> Graph {
    let count = history.len();
    let mut edges: Vec<Vec<(usize, Edge)>> = vec![Vec::new(); count * 2];
    let mut add = |from: usize, to: usize, edge: Edge| {
        if from != to {
            edges[from].push((to, edge));
        }
    };
    for order in orders.values() {
        for two in order.windows(2) {
            add(two[0].1, two[1].1, Edge::WriteWrite);
        }
    }
    for (index, transaction) in history.iter().enumerate() {
        if let Some(earlier) = transaction.follows {
            add(earlier, index, Edge::Pipeline);
        }
        for op in &transaction.ops {
            let Op::Read { key, tokens } = op else { continue };
            let Some(order) = orders.get(key) else { continue };
            if let Some(last) = tokens.len().checked_sub(1) {
                add(order[last].1, index, Edge::WriteRead);
            }
            if let Some((_, writer)) = order.get(tokens.len()) {
                add(index, *writer, Edge::ReadWrite);
            }
        }
    }
    add_real_time(history, &mut add);
    for list in &mut edges {
        list.sort_unstable();
        list.dedup();
    }
    Graph { edges, transactions: count }
}

/// A chain of moments: each end of a transaction leads to a moment, each moment to the next and to what starts after it.
fn add_real_time(history: &History, add: &mut impl FnMut(usize, usize, Edge)) {
    let count = history.len();
    let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(count * 2);
    for (index, transaction) in history.iter().enumerate() {
        // At equal times starts come first: only a strictly earlier end orders two transactions.
        events.push((transaction.start_ns, false, index));
        events.push((transaction.end_ns, true, index));
    }
    events.sort_unstable();
    let mut moments = 0;
    for (_, is_end, index) in events {
        if is_end {
            let moment = count + moments;
            add(index, moment, Edge::RealTime);
            if moments > 0 {
                add(moment - 1, moment, Edge::RealTime);
            }
            moments += 1;
        } else if moments > 0 {
            add(count + moments - 1, index, Edge::RealTime);
        }
    }
}

/// Strongly connected components with more than one node (Tarjan, iterative: histories are deep).
fn components(graph: &Graph) -> Vec<Vec<usize>> {
    let count = graph.edges.len();
    let unseen = usize::MAX;
    let (mut number, mut low) = (vec![unseen; count], vec![0; count]);
    let mut on_stack = vec![false; count];
    let (mut stack, mut found, mut next_number) = (Vec::new(), Vec::new(), 0);
    for root in 0..count {
        if number[root] != unseen {
            continue;
        }
        let mut work = vec![(root, 0)];
        while let Some((node, at)) = work.pop() {
            if at == 0 {
                number[node] = next_number;
                low[node] = next_number;
                next_number += 1;
                stack.push(node);
                on_stack[node] = true;
            }
            if let Some((target, _)) = graph.edges[node].get(at) {
                work.push((node, at + 1));
                if number[*target] == unseen {
                    work.push((*target, 0));
                } else if on_stack[*target] {
                    low[node] = low[node].min(number[*target]);
                }
                continue;
            }
            if low[node] == number[node] {
                let start = stack.iter().rposition(|other| *other == node).unwrap_or(0);
                let component = stack.split_off(start);
                for member in &component {
                    on_stack[*member] = false;
                }
                if component.len() > 1 {
                    found.push(component);
                }
            }
            if let Some((parent, _)) = work.last() {
                low[*parent] = low[*parent].min(low[node]);
            }
        }
    }
    found
}

/// A shortest cycle of the component by the fewest kinds of edges, and the name of that kind.
fn explain(history: &History, graph: &Graph, component: &[usize]) -> Anomaly {
    let members: BTreeSet<usize> = component.iter().copied().collect();
    for most in [Edge::WriteWrite, Edge::WriteRead, Edge::ReadWrite, Edge::Pipeline, Edge::RealTime] {
        let cycles = component.iter().take(200).filter_map(|start| cycle_from(graph, &members, *start, most));
        if let Some(cycle) = cycles.min_by_key(Vec::len) {
            return anomaly(&name_of(&cycle, most), describe(history, graph, &cycle));
        }
    }
    anomaly("cycle", format!("{} transactions", component.len()))
}

/// Breadth-first search back to the start over edges up to `most`.
fn cycle_from(
    graph: &Graph,
    members: &BTreeSet<usize>,
    start: usize,
    most: Edge,
) -> Option<Vec<(usize, Edge)>> {
    let mut came: BTreeMap<usize, (usize, Edge)> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for (target, edge) in &graph.edges[node] {
            if *edge > most || !members.contains(target) || came.contains_key(target) {
                continue;
            }
            came.insert(*target, (node, *edge));
            if *target == start {
                let mut path = Vec::new();
                let mut at = start;
                loop {
                    let (from, edge) = came[&at];
                    path.push((from, edge));
                    at = from;
                    if at == start {
                        path.reverse();
                        return Some(path);
                    }
                }
            }
            queue.push_back(*target);
        }
    }
    None
}

fn name_of(cycle: &[(usize, Edge)], most: Edge) -> String {
    let anti = cycle.iter().filter(|(_, edge)| *edge == Edge::ReadWrite).count();
    let base = match (anti, cycle.iter().any(|(_, edge)| *edge == Edge::WriteRead)) {
        (0, false) => "G0 (write cycle)",
        (0, true) => "G1c (circular information flow)",
        (1, _) => "G-single (read skew or lost update)",
        _ => "G2 (anti-dependency cycle)",
    };
    match most {
        Edge::RealTime => format!("{base} with real time"),
        Edge::Pipeline => format!("{base} with pipeline order"),
        _ => base.to_owned(),
    }
}

fn describe(history: &History, graph: &Graph, cycle: &[(usize, Edge)]) -> String {
    let mut text = String::new();
    for (node, edge) in cycle.iter().filter(|(node, _)| *node < graph.transactions) {
        let Transaction { ops, start_ns, end_ns, label, .. } = &history[*node];
        let ops: Vec<String> = ops.iter().map(show_op).collect();
        let ops = ops.join(" ");
        text.push_str(&format!("\n  T{node} [{start_ns}..{end_ns}] {label}: {ops}\n    --{edge:?}-->"));
    }
    text
}

fn show_op(op: &Op) -> String {
    match op {
        Op::Append { key, token, position } => format!("append(k{key}, {token} at {position})"),
        Op::Read { key, tokens } => {
            let tail = &tokens[tokens.len().saturating_sub(3)..];
            format!("read(k{key}: {} tokens, last {tail:?})", tokens.len())
        }
    }
}
