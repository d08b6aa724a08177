//! The model to embed, and the linker's scripts.

fn main() {
    edgegen_embed::model();
    edgegen_embed::link();
}
