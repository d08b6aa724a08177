//! The float network while it is written.

use anyhow::Result;
use edgegen_export::layers::{Layer, Node};
use edgegen_runtime::graph::Shape;

/// Nodes under construction, with their shapes.
pub(super) struct Nodes {
    pub(super) nodes: Vec<Node>,
    pub(super) shapes: Vec<Shape>,
    /// Nodes that are inputs, which names do not count.
    pub(super) inputs: usize,
}

impl Nodes {
    /// Adds a node and gives its number.
    pub(super) fn push(&mut self, layer: Layer, reads: Vec<usize>) -> Result<usize> {
        let node = Node { name: format!("layer {}", self.nodes.len() - self.inputs), layer, reads };
        self.shapes.push(node.output(&self.shapes)?);
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    pub(super) fn channels(&self, node: usize) -> usize {
        self.shapes[node].c.into()
    }
}
