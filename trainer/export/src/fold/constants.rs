//! What depends on no input is computed once, here; what the image does not depend on goes.

use std::borrow::Cow;

use crate::error::ExportError;
use crate::layers::{Input, Layer, Map, Mismatch, Network, Node};

/// The network with a constant for each node that depends on no input, and without nodes that the image does not depend
/// on.
pub(super) fn without_constants(network: &Network) -> Result<Cow<'_, Network>, ExportError> {
    let shapes = network.shapes()?;
    let is_constant = |node: &Node| matches!(node.layer, Layer::Input(Input::Constant { .. }));
    let mut constants: Vec<Option<Map>> = Vec::with_capacity(shapes.len());
    for (node, &shape) in network.nodes.iter().zip(&shapes) {
        let sources: Option<Vec<&Map>> = node.reads.iter().map(|&read| constants[read].as_ref()).collect();
        let constant = match (&node.layer, sources) {
            (Layer::Input(Input::Constant { values, .. }), _) => Some(Map { shape, values: values.clone() }),
            (Layer::Input(_), _) | (_, None) => None,
            (layer, Some(sources)) => Some(Map { shape, values: layer.values(&sources, shape) }),
        };
        constants.push(constant);
    }
    let Some(last) = network.nodes.len().checked_sub(1) else {
        return Err(Mismatch::new("at least one node", "none", "give the network layers").at("the network"));
    };
    let mut needed = vec![false; network.nodes.len()];
    needed[last] = true;
    for (index, node) in network.nodes.iter().enumerate().rev() {
        if needed[index] && constants[index].is_none() {
            node.reads.iter().for_each(|&read| needed[read] = true);
        }
    }
    for (node, needed) in network.nodes.iter().zip(&needed) {
        if let (Layer::Input(_), false, false) = (&node.layer, is_constant(node), *needed) {
            let expected = "inputs that the image depends on";
            return Err(Mismatch::new(expected, "one that it does not", "remove the input").at(&node.name));
        }
    }
    let nothing_to_do = network.nodes.iter().zip(&constants).all(|(node, map)| map.is_none() || is_constant(node));
    if nothing_to_do && needed.iter().all(|&needed| needed) {
        return Ok(Cow::Borrowed(network));
    }
    let mut numbers = vec![0; network.nodes.len()];
    let mut nodes = Vec::new();
    for (index, (node, constant)) in network.nodes.iter().zip(constants).enumerate().filter(|(index, _)| needed[*index])
    {
        numbers[index] = nodes.len();
        let reads = node.reads.iter().map(|&read| numbers[read]).collect();
        let name = node.name.clone();
        nodes.push(match constant {
            Some(Map { shape, values }) => {
                Node { name, layer: Layer::Input(Input::Constant { shape, values }), reads: vec![] }
            }
            None => Node { name, layer: node.layer.clone(), reads },
        });
    }
    Ok(Cow::Owned(Network { nodes, pixels: network.pixels }))
}
