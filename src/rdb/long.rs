//! A long text on its way out, a slice at a time.
//!
//! Called by `save`; calls `lzf`. The compressed bytes must all be there before their number can be written, so they are kept in blocks until then:
//! ```text
//! packing (a slice of the text per step) -> head, then its blocks, one by one
//!        \\ it does not shrink           -> length, then the text, a slice per step
//! ```
//! Invariant: it is given the same text at every step. Bounds: a step costs what [`STEP`] bytes cost, or the budget if that is less; memory is the compressed text's, less what
//! has been written. Why blocks and not one buffer: a buffer of many megabytes is moved when it grows, and freed at once.
use super::encode::Encoder;
use super::lzf::{GAIN_MIN, Packer, Progress, can_pack};
use std::collections::VecDeque;

/// Texts shorter than this are written at once, bytes.
pub const LONG: usize = 16 * 1024;
/// Most bytes of a text looked at between two looks at the budget.
const STEP: usize = 32 * 1024;
/// And the least.
const STEP_MIN: usize = 1024;
/// Bytes of a block of compressed text, about.
const BLOCK: usize = 64 * 1024;
/// A text of which this many bytes have not become fewer is written as it is, bytes.
const TRIED: usize = 256 * 1024;

#[derive(Debug, Clone)]
struct Packing {
    packer: Packer,
    progress: Progress,
    seen: usize,
    blocks: VecDeque<Vec<u8>>,
    packed: usize,
}

#[derive(Debug, Clone)]
enum Stage {
    Packing(Box<Packing>),
    Blocks(VecDeque<Vec<u8>>),
    /// From this byte on.
    Plain(usize),
}

/// See the module's text.
#[derive(Debug, Clone)]
pub struct Long {
    stage: Stage,
    /// The text, if it was made for being written.
    pub own: Vec<u8>,
}

impl Packing {
    /// A slice more; what is next when this is over.
    fn step(&mut self, text: &[u8], slice: usize, out: &mut Encoder<'_>) -> Option<Stage> {
        if self.blocks.back().is_none_or(|block| block.len() >= BLOCK) {
            self.blocks.push_back(Vec::with_capacity(BLOCK + STEP + STEP / 16));
        }
        let block = self.blocks.back_mut()?;
        let before = block.len();
        self.seen += slice;
        let is_done = self.packer.advance(text, &mut self.progress, self.seen, block);
        self.packed += block.len() - before;
        let is_vain = self.seen >= TRIED && self.packed >= self.seen;
        if is_vain || (is_done && self.packed + GAIN_MIN > text.len()) {
            return Some(plain(text, out));
        }
        if !is_done {
            return None;
        }
        out.packed_head(self.packed, text.len());
        Some(Stage::Blocks(std::mem::take(&mut self.blocks)))
    }
}

fn plain(text: &[u8], out: &mut Encoder<'_>) -> Stage {
    out.len(text.len() as u64);
    Stage::Plain(0)
}

impl Long {
    /// At the beginning of `text`.
    pub fn new(text: &[u8], out: &mut Encoder<'_>) -> Self {
        let stage = if out.compresses() && can_pack(text.len()) {
            Stage::Packing(Box::new(Packing {
                packer: Packer::default(),
                progress: Progress::default(),
                seen: 0,
                blocks: VecDeque::new(),
                packed: 0,
            }))
        } else {
            plain(text, out)
        };
        Self { stage, own: Vec::new() }
    }

    /// A step of at most `budget` bytes or a little more; true when all is written. `spent` grows by what was looked at without being written, bytes.
    pub fn step(&mut self, text: &[u8], out: &mut Encoder<'_>, budget: usize, spent: &mut usize) -> bool {
        let slice = budget.clamp(STEP_MIN, STEP);
        match &mut self.stage {
            Stage::Packing(packing) => {
                *spent += slice;
                if let Some(next) = packing.step(text, slice, out) {
                    self.stage = next;
                }
                false
            }
            Stage::Blocks(blocks) => {
                if let Some(block) = blocks.pop_front() {
                    out.raw(&block);
                }
                blocks.is_empty()
            }
            Stage::Plain(from) => {
                let to = from.saturating_add(slice).min(text.len());
                out.raw(&text[*from..to]);
                *from = to;
                to == text.len()
            }
        }
    }
}
