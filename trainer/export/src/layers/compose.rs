//! Two networks in a row: an image from nothing, and what another network makes of it.

use edgegen_runtime::graph::{Border, Shape};

use super::shape::Mismatch;
use super::{Input, Layer, Network, Node};
use crate::error::ExportError;

impl Network {
    /// This network and `next`, which reads an image, as one, with the images of both side by side: this one's at the
    /// left and at the right what `next` makes of it, each of which must be of the shape that `next` reads.
    ///
    /// # Errors
    ///
    /// [`ExportError::Layer`] if `next` reads no image, reads more, or shapes do not fit, or this one reads its own
    /// rows.
    pub fn followed_by(self, next: Self) -> Result<Self, ExportError> {
        let image = self.output()?;
        if self.previous().is_some() {
            let found = "one that reads its own rows";
            let mismatch = Mismatch::new("a network that draws without its earlier rows", found, "draw by another one");
            return Err(mismatch.at("the first network"));
        }
        let fed: Vec<(usize, Input)> = next
            .nodes
            .iter()
            .enumerate()
            .filter_map(|(index, node)| match &node.layer {
                Layer::Input(Input::Constant { .. }) => None,
                Layer::Input(input) => Some((index, input.clone())),
                _ => None,
            })
            .collect();
        let [(place, Input::Image { shape, pixels })] = fed[..] else {
            let found = format!("one with {} inputs", fed.len());
            let mismatch = Mismatch::new("a network that reads an image and nothing else", found, "swap the two");
            return Err(mismatch.at("the second network"));
        };
        for (what, shape) in [("reads", shape), ("makes", next.output()?)] {
            if shape != image {
                let expected = format!("a second network that {what} images of {image}, as the first one makes");
                let mismatch = Mismatch::new(expected, shape.to_string(), "train both on images of one shape");
                return Err(mismatch.at("the second network"));
            }
        }

        let mut nodes = self.nodes;
        // What is black and white to the first one as it is to the second.
        let scale = pixels.span() / self.pixels.span();
        let offset = pixels.black() - self.pixels.black() * scale;
        if (scale, offset) != (1.0, 0.0) {
            let channels = usize::from(image.c);
            let layer = Layer::Affine { scale: vec![scale; channels], offset: vec![offset; channels] };
            nodes.push(Node { name: "as read".into(), layer, reads: vec![nodes.len() - 1] });
        }
        let first = nodes.len() - 1;
        let mut now = Vec::with_capacity(next.nodes.len());
        for (index, Node { name, layer, reads }) in next.nodes.into_iter().enumerate() {
            if index == place {
                now.push(first);
                continue;
            }
            let reads = reads.into_iter().map(|read| now.get(read).copied().unwrap_or(usize::MAX)).collect();
            nodes.push(Node { name, layer, reads });
            now.push(nodes.len() - 1);
        }
        let second = now.last().copied().unwrap_or(first);
        Ok(Self { nodes: side_by_side(nodes, [first, second], image), pixels: next.pixels })
    }
}

/// Adds the two nodes, one beside the other: each with zeros where the other stands, and their sum.
fn side_by_side(mut nodes: Vec<Node>, images: [usize; 2], shape: Shape) -> Vec<Node> {
    let w = usize::from(shape.w);
    let padded = [("left", images[0], [0, w]), ("right", images[1], [w, 0])].map(|(name, read, across)| {
        let layer = Layer::Pad { padding: [[0; 2], across], border: Border::Zero };
        nodes.push(Node { name: name.into(), layer, reads: vec![read] });
        nodes.len() - 1
    });
    nodes.push(Node { name: "both".into(), layer: Layer::Add { scales: [1.0; 2] }, reads: padded.to_vec() });
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Function;
    use crate::layers::{LatentInput, PixelRange};
    use edgegen_runtime::graph::Prior;

    const SHAPE: Shape = Shape { h: 1, w: 2, c: 1 };

    /// Two values, each as it is, as a picture of two pixels.
    fn first(pixels: PixelRange) -> Network {
        let layer = Layer::Dense { shape: SHAPE, weight: vec![1.0, 0.0, 0.0, 1.0], bias: vec![0.0; 2] };
        Network::chain(LatentInput::new(Prior::Uniform, 2), [layer], pixels)
    }

    /// An image, upside down in brightness.
    fn negative(shape: Shape, pixels: PixelRange) -> Network {
        let input = Layer::Input(Input::Image { shape, pixels });
        let scale = Layer::Affine { scale: vec![-1.0], offset: vec![2.0 * pixels.black() + pixels.span()] };
        let node = |name: &str, layer, reads| Node { name: name.into(), layer, reads };
        let nodes = vec![
            node("image", input, vec![]),
            node("negative", scale, vec![0]),
            node("same", Layer::Activation(Function::X), vec![1]),
        ];
        Network { nodes, pixels }
    }

    #[test]
    fn both_images_stand_side_by_side_in_the_range_of_the_second() {
        for (from, to) in [(PixelRange::Symmetric, PixelRange::Symmetric), (PixelRange::Unit, PixelRange::Symmetric)] {
            let network = first(from).followed_by(negative(SHAPE, to)).unwrap();
            assert_eq!((network.output().unwrap(), network.pixels), (Shape { w: 4, ..SHAPE }, to));
            let image = network.forward(&[vec![0.25, 0.75]]).unwrap();
            let levels: Vec<f32> = image.values.iter().map(|&value| to.level(value)).collect();
            let [a, b] = [0.25, 0.75].map(|value| from.level(value));
            for (level, expected) in levels.iter().zip([a, b, 255.0 - a, 255.0 - b]) {
                assert!((level - expected).abs() < 1e-3, "{levels:?}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let refusal = |network: Network, next: Network| network.followed_by(next).unwrap_err().to_string();
        let symmetric = PixelRange::Symmetric;
        let message = refusal(first(symmetric), first(symmetric));
        assert!(message.contains("reads an image and nothing else"), "{message}");
        let message = refusal(first(symmetric), negative(Shape { h: 2, ..SHAPE }, symmetric));
        assert!(message.contains("as the first one makes"), "{message}");
    }
}
