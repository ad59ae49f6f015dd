//! (being built)
pub mod describe;
pub mod keyspec;
pub mod lookup;
pub mod reply_error;
pub mod row;
pub mod rows;

/// Placeholder until command/cx.rs lands: what a handler sees.
pub struct Cx<'a>(std::marker::PhantomData<&'a ()>);
