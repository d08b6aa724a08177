//! Tests that need two crates at once.

mod damage;
mod fold;
mod latent;
mod rows;
