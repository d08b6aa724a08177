//! The model to embed, and the linker's scripts.

fn main() {
    edgegen_embed::model_or("icons");
    edgegen_embed::link();
}
