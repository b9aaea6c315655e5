//! The data that crosses the bridge between window and engine, declared once.
//!
//! Every type here is plain data: what the window shows is said in these types by Rust, and the
//! window computes none of it. `bindings.rs` writes the same declarations as TypeScript.
//! Sizes and counts are `u64` here and `number` there (exact up to 2^53).

mod adopt;
mod changes;
mod detail;
mod error;
mod event;
mod history;
mod preview;
mod project;
mod sample;
mod server;
mod settings;
mod sync;
mod trash;

pub use adopt::*;
pub use changes::*;
pub use detail::*;
pub use error::*;
pub use event::*;
pub use history::*;
pub use preview::*;
pub use project::*;
pub use sample::*;
pub use server::*;
pub use settings::*;
pub use sync::*;
pub use trash::*;
