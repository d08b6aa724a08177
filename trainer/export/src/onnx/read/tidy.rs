//! What is left to do when all nodes are read: constants into the weights before them, permutations into fully
//! connected layers, and nobody's nodes away.

use crate::layers::{Input, Layer, Network, Node};

/// The network up to `last`, with its `inputs` at the start.
pub(super) fn tidy(mut network: Network, last: usize, inputs: &[Input]) -> Network {
    let mut nodes = network.nodes;
    let mut last = last;
    keep(&mut nodes, &mut last, inputs.len());
    while let Some((away, instead)) = (0..nodes.len()).find_map(|index| merge(&mut nodes, index, last)) {
        for node in &mut nodes {
            node.reads.iter_mut().filter(|read| **read == away).for_each(|read| *read = instead);
        }
        if last == away {
            last = instead;
        }
        keep(&mut nodes, &mut last, inputs.len());
    }
    network.nodes = nodes;
    network
}

/// Drops all nodes that the last one does not need, but not the inputs.
fn keep(nodes: &mut Vec<Node>, last: &mut usize, inputs: usize) {
    let mut needed = vec![false; nodes.len()];
    needed[..inputs].fill(true);
    needed[*last] = true;
    for index in (0..nodes.len()).rev().filter(|&index| index <= *last) {
        if needed[index] {
            nodes[index].reads.iter().for_each(|&read| needed[read] = true);
        }
    }
    let mut place = vec![0; nodes.len()];
    let mut count = 0;
    for (index, needed) in needed.iter().enumerate() {
        place[index] = count;
        count += usize::from(*needed);
    }
    let mut flags = needed.iter();
    nodes.retain(|_| *flags.next().unwrap_or(&false));
    nodes.iter_mut().flat_map(|node| &mut node.reads).for_each(|read| *read = place[*read]);
    *last = place[*last];
}

/// Takes the node at `index` into the one that it reads, if that is possible; gives the two.
fn merge(nodes: &mut [Node], index: usize, last: usize) -> Option<(usize, usize)> {
    let &[read] = &nodes[index].reads[..] else { return None };
    let alone = |nodes: &[Node], node: usize| {
        node != last && nodes.iter().flat_map(|other| &other.reads).filter(|&&other| other == node).count() == 1
    };
    if !alone(nodes, read) {
        return None;
    }
    match nodes[index].layer.clone() {
        Layer::Affine { scale, offset } => {
            affine(&mut nodes[read].layer, &scale, &offset)?;
            Some((index, read))
        }
        Layer::Reorder { shape, from } => {
            if !permutes(&from) {
                return None;
            }
            // Functions of each value alone do not mind.
            let mut dense = read;
            while let Layer::Activation(_) = nodes[dense].layer {
                dense = *nodes[dense].reads.first()?;
                if !alone(nodes, dense) {
                    return None;
                }
            }
            let Layer::Dense { shape: own, weight, bias } = &mut nodes[dense].layer else { return None };
            if bias.len() != from.len() {
                return None;
            }
            let inputs = weight.len() / bias.len();
            *weight = from.iter().flat_map(|&row| weight[row * inputs..(row + 1) * inputs].to_vec()).collect();
            *bias = from.iter().map(|&row| bias[row]).collect();
            *own = shape;
            Some((index, read))
        }
        _ => None,
    }
}

/// Whether each place is read once.
fn permutes(from: &[usize]) -> bool {
    let mut seen = vec![false; from.len()];
    for &place in from {
        match seen.get_mut(place) {
            Some(seen) => *seen = true,
            None => return false,
        }
    }
    seen.iter().all(|seen| *seen)
}

/// Scales and shifts the output of a layer.
fn affine(layer: &mut Layer, scale: &[f32], offset: &[f32]) -> Option<()> {
    match layer {
        Layer::Dense { shape, weight, bias } => {
            // Each channel has as many rows as it has pixels.
            let plane = usize::from(shape.h) * usize::from(shape.w);
            let rows = |values: &[f32]| values.iter().flat_map(|&value| vec![value; plane]).collect::<Vec<_>>();
            let (scale, offset) = (rows(scale), rows(offset));
            let inputs = weight.len() / bias.len().max(1);
            for (row, scale) in weight.chunks_mut(inputs.max(1)).zip(&scale) {
                row.iter_mut().for_each(|weight| *weight *= scale);
            }
            shifted(bias, &scale, &offset);
        }
        Layer::Conv { weight, bias, .. } => {
            let taps = weight.len() / bias.len();
            for (taps, scale) in weight.chunks_mut(taps.max(1)).zip(scale) {
                taps.iter_mut().for_each(|weight| *weight *= scale);
            }
            shifted(bias, scale, offset);
        }
        Layer::ConvTranspose { window, weight, bias, .. } => {
            let taps = window.kernel[0] * window.kernel[1];
            let outputs = window.channels / window.groups;
            let inputs = weight.len() / (taps * outputs * window.groups).max(1);
            for (index, taps) in weight.chunks_mut(taps.max(1)).enumerate() {
                let channel = index / outputs / inputs.max(1) * outputs + index % outputs;
                taps.iter_mut().for_each(|weight| *weight *= scale[channel]);
            }
            shifted(bias, scale, offset);
        }
        Layer::Normalize { gamma, beta, .. } => {
            gamma.iter_mut().zip(scale).for_each(|(gamma, scale)| *gamma *= scale);
            shifted(beta, scale, offset);
        }
        _ => return None,
    }
    Some(())
}

fn shifted(bias: &mut [f32], scale: &[f32], offset: &[f32]) {
    for ((bias, scale), offset) in bias.iter_mut().zip(scale).zip(offset) {
        *bias = *bias * scale + offset;
    }
}
