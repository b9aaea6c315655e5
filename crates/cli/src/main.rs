//! `dsg`: arguments → use case → text or JSON.

fn main() {}
