//! One node to one layer: weights, attributes, and every check that makes the layer sound.

use edgegen_runtime::graph::Shape;
use rten_onnx::onnx::{AttributeProto, DataLocation, DataType, NodeProto, TensorProto};

use super::OnnxError;
use super::read::Reader;
use crate::layers::{Layer, Window};

/// A node, and what comes before it.
pub(super) struct At<'r, 'a> {
    pub(super) reader: &'r Reader<'a>,
    pub(super) node: &'a NodeProto,
}

impl<'a> At<'_, 'a> {
    pub(super) fn refuse(
        &self,
        expected: impl Into<String>,
        found: impl Into<String>,
        remedy: &'static str,
    ) -> OnnxError {
        let operator = self.node.op_type.as_deref().unwrap_or("");
        let name =
            [self.node.name.as_ref(), self.node.output.first()].into_iter().flatten().find(|name| !name.is_empty());
        let place = format!("{operator} node {}", name.map_or("without a name", String::as_str));
        OnnxError::Graph { place, expected: expected.into(), found: found.into(), remedy }
    }

    pub(super) fn gemm(&self) -> Result<Layer, OnnxError> {
        if self.reader.map {
            return Err(self.refuse("a vector before Gemm", "a map", "put a Flatten between them"));
        }
        self.int("transA", 0, &[0])?;
        let transposed = self.int("transB", 0, &[0, 1])? == 1;
        if (self.float("alpha", 1.0), self.float("beta", 1.0)) != (1.0, 1.0) {
            return Err(self.refuse("alpha and beta of 1", "others", "multiply the weights by them"));
        }
        let inputs = self.reader.shape.len();
        let (dims, mut weight) = self.floats(1)?;
        let (outputs, reads) = match dims[..] {
            [outputs, inputs] if transposed => (outputs, inputs),
            [inputs, outputs] => (outputs, inputs),
            _ => return Err(self.refuse("weights of two dimensions", format!("{dims:?}"), "export the model again")),
        };
        if reads != inputs {
            let found = format!("weights for {reads}");
            return Err(self.refuse(format!("weights for {inputs} values"), found, "export the model again"));
        }
        if !transposed {
            weight = (0..outputs).flat_map(|o| weight[o..].iter().step_by(outputs).copied()).collect();
        }
        let c = u16::try_from(outputs).ok().filter(|&c| c > 0).ok_or_else(|| self.too_large(outputs))?;
        Ok(Layer::Dense { shape: Shape { h: 1, w: 1, c }, weight, bias: self.bias(2, outputs)? })
    }

    pub(super) fn conv(&self) -> Result<Layer, OnnxError> {
        let (dims, weight) = self.floats(1)?;
        let window = self.window(&dims, 0)?;
        let shape = self.reader.shape;
        for (axis, side) in [shape.h, shape.w].into_iter().enumerate() {
            self.fits((usize::from(side) + 2 * window.padding[axis]).checked_sub(reach(&window, axis)))?;
        }
        Ok(Layer::Conv { window, weight, bias: self.bias(2, window.channels)? })
    }

    pub(super) fn conv_transpose(&self) -> Result<Layer, OnnxError> {
        let (dims, weight) = self.floats(1)?;
        let window = self.window(&dims, 1)?;
        if self.attribute("output_shape").is_some() {
            return Err(self.refuse("pads and output_padding", "output_shape", "export the model with pads"));
        }
        let output_padding = self.pair("output_padding", 0)?;
        let shape = self.reader.shape;
        for (axis, side) in [shape.h, shape.w].into_iter().enumerate() {
            let whole = (usize::from(side) - 1) * window.stride[axis] + reach(&window, axis) + output_padding[axis];
            self.fits(whole.checked_sub(2 * window.padding[axis] + 1))?;
        }
        Ok(Layer::ConvTranspose { window, output_padding, weight, bias: self.bias(2, window.channels)? })
    }

    pub(super) fn resize(&self) -> Result<Layer, OnnxError> {
        self.map("Resize")?;
        let Shape { h, w, .. } = self.reader.shape;
        let rule = (
            self.text("mode", "nearest"),
            self.text("coordinate_transformation_mode", "half_pixel"),
            self.text("nearest_mode", "round_prefer_floor"),
        );
        // For whole factors, both repeat pixels: a centre lies less than half a pixel from that of the pixel it repeats.
        let repeats = matches!(
            rule,
            ("nearest", "asymmetric", "floor")
                | ("nearest", "half_pixel" | "pytorch_half_pixel", "round_prefer_floor" | "round_prefer_ceil")
        );
        if !repeats {
            let found = format!("{} with {} and {}", rule.0, rule.1, rule.2);
            return Err(self.refuse("a Resize that repeats pixels", found, "use nearest upsampling"));
        }
        let named = |index: usize| self.node.input.get(index).filter(|name| !name.is_empty()).is_some();
        let factors: Vec<f64> = if named(3) {
            let sizes = self.ints_input(3)?;
            let sides = [1, usize::from(self.reader.shape.c), usize::from(h), usize::from(w)];
            sizes.iter().zip(sides).map(|(&size, side)| size as f64 / side as f64).collect()
        } else {
            self.floats(2)?.1.iter().map(|&scale| f64::from(scale)).collect()
        };
        match factors[..] {
            [1.0, 1.0, y, x] if y == x && y >= 1.0 && y.fract() == 0.0 => {
                self.fits(Some(usize::from(h.max(w)).saturating_mul(y as usize)))?;
                Ok(Layer::UpsampleNearest { factor: y as usize })
            }
            _ => {
                let found = format!("{factors:?}");
                Err(self.refuse(
                    "factors [1, 1, n, n] with a whole n",
                    found,
                    "enlarge both axes by the same whole number",
                ))
            }
        }
    }

    pub(super) fn depth_to_space(&self) -> Result<Layer, OnnxError> {
        self.map("DepthToSpace")?;
        if self.text("mode", "DCR") != "CRD" {
            return Err(self.refuse("mode CRD", "mode DCR", "use CRD, which is what PyTorch's PixelShuffle becomes"));
        }
        let Shape { h, w, c } = self.reader.shape;
        let found = self.attribute("blocksize").and_then(|block| block.i).unwrap_or(0);
        let factor = usize::try_from(found).ok().filter(|&factor| {
            let square = factor.saturating_mul(factor);
            square > 0 && usize::from(c).is_multiple_of(square)
        });
        let Some(factor) = factor else {
            let expected = format!("a blocksize whose square divides {c} channels");
            return Err(self.refuse(expected, found.to_string(), "export the model again"));
        };
        self.fits(Some(usize::from(h.max(w)) * factor))?;
        Ok(Layer::PixelShuffle { factor })
    }

    pub(super) fn batch_norm(&self) -> Result<Layer, OnnxError> {
        self.int("training_mode", 0, &[0])?;
        let Shape { h, w, c } = self.reader.shape;
        if !self.reader.map && (h, w) != (1, 1) {
            return Err(self.refuse("a map or the output of a Gemm", "a flattened map", "normalize before Flatten"));
        }
        let values = |index: usize| self.floats_of(index, usize::from(c));
        Ok(Layer::BatchNorm {
            gamma: values(1)?,
            beta: values(2)?,
            mean: values(3)?,
            variance: values(4)?,
            epsilon: self.float("epsilon", 1e-5),
        })
    }

    /// The window of a convolution with weights of `dims`; output channels stand at `channels`, input channels in the
    /// other of the first two places.
    fn window(&self, dims: &[usize], channels: usize) -> Result<Window, OnnxError> {
        self.map("a convolution")?;
        self.int("group", 1, &[1])?;
        let auto = self.text("auto_pad", "NOTSET");
        if auto != "NOTSET" {
            return Err(self.refuse("explicit pads", format!("auto_pad {auto}"), "export the model with pads"));
        }
        let inputs = usize::from(self.reader.shape.c);
        let (&[_, _, ky, kx], true) = (dims, dims.get(1 - channels) == Some(&inputs)) else {
            let expected = format!("weights of four dimensions for {inputs} channels");
            return Err(self.refuse(expected, format!("{dims:?}"), "export the model again"));
        };
        let pads = self.sides("pads", 4, 0)?;
        if pads[..2] != pads[2..] {
            let found = format!("pads {pads:?}");
            return Err(self.refuse("the same padding on both sides", found, "use symmetric padding"));
        }
        for side in [ky, kx, dims[channels]] {
            if side == 0 || side > usize::from(u16::MAX) {
                return Err(self.too_large(side));
            }
        }
        let (stride, dilation) = (self.pair("strides", 1)?, self.pair("dilations", 1)?);
        if stride.contains(&0) || dilation.contains(&0) {
            return Err(self.refuse("strides and dilations of 1 or more", "0", "export the model again"));
        }
        Ok(Window { channels: dims[channels], kernel: [ky, kx], stride, padding: [pads[0], pads[1]], dilation })
    }

    /// Refuses a vector.
    fn map(&self, what: &str) -> Result<(), OnnxError> {
        if self.reader.map {
            return Ok(());
        }
        Err(self.refuse(format!("a map before {what}"), "a vector", "put a Reshape between them"))
    }

    /// Refuses a side of an output that does not exist or is larger than a shape can tell.
    fn fits(&self, side: Option<usize>) -> Result<(), OnnxError> {
        match side {
            Some(side) if side < usize::from(u16::MAX) => Ok(()),
            Some(side) => Err(self.too_large(side)),
            None => Err(self.refuse("an output of at least one pixel", "none", "use a smaller kernel or more padding")),
        }
    }

    fn too_large(&self, found: usize) -> OnnxError {
        self.refuse("1 to 65535 channels, rows and columns", found.to_string(), "make the model smaller")
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name))
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).and_then(|attribute| attribute.f).unwrap_or(default)
    }

    fn text(&self, name: &str, default: &'static str) -> &'a str {
        self.attribute(name).and_then(|attribute| attribute.s.as_deref()).unwrap_or(default)
    }

    pub(super) fn int(&self, name: &str, default: i64, allowed: &[i64]) -> Result<i64, OnnxError> {
        let found = self.attribute(name).and_then(|attribute| attribute.i).unwrap_or(default);
        if allowed.contains(&found) {
            return Ok(found);
        }
        let expected = allowed.iter().map(i64::to_string).collect::<Vec<_>>().join(" or ");
        Err(self.refuse(format!("{name} {expected}"), found.to_string(), "export the model without it"))
    }

    fn pair(&self, name: &str, default: usize) -> Result<[usize; 2], OnnxError> {
        self.sides(name, 2, default).map(|sides| [sides[0], sides[1]])
    }

    /// `count` small numbers.
    fn sides(&self, name: &str, count: usize, default: usize) -> Result<Vec<usize>, OnnxError> {
        let Some(attribute) = self.attribute(name) else { return Ok(vec![default; count]) };
        let sides: Option<Vec<_>> =
            attribute.ints.iter().map(|&side| u16::try_from(side).ok().map(usize::from)).collect();
        sides.filter(|sides| sides.len() == count).ok_or_else(|| {
            let expected = format!("{count} {name} from 0 to 65535");
            self.refuse(expected, format!("{:?}", attribute.ints), "use operators over two axes")
        })
    }

    fn constant(&self, index: usize) -> Result<&'a TensorProto, OnnxError> {
        let name = self.node.input.get(index).map_or("", String::as_str);
        let tensor = self.reader.constants.get(name).copied();
        let tensor = tensor.ok_or_else(|| {
            let found = if name.is_empty() { "nothing" } else { name };
            self.refuse(format!("a constant as input {index}"), found, "run onnx-simplifier, which folds constants")
        })?;
        if tensor.data_location == Some(DataLocation::EXTERNAL) {
            return Err(self.refuse("weights in the file", "weights in another file", "save the model as one file"));
        }
        Ok(tensor)
    }

    /// The dimensions and values of an input.
    fn floats(&self, index: usize) -> Result<(Vec<usize>, Vec<f32>), OnnxError> {
        let tensor = self.constant(index)?;
        let words = tensor.raw_data.as_ref().map(|raw| words(&raw.borrow(), f32::from_le_bytes));
        self.values(tensor, DataType::FLOAT, words.unwrap_or_else(|| Some(tensor.float_data.clone())))
    }

    pub(super) fn ints_input(&self, index: usize) -> Result<Vec<i64>, OnnxError> {
        let tensor = self.constant(index)?;
        let words = tensor.raw_data.as_ref().map(|raw| words(&raw.borrow(), i64::from_le_bytes));
        Ok(self.values(tensor, DataType::INT64, words.unwrap_or_else(|| Some(tensor.int64_data.clone())))?.1)
    }

    fn values<T>(
        &self,
        tensor: &TensorProto,
        kind: DataType,
        values: Option<Vec<T>>,
    ) -> Result<(Vec<usize>, Vec<T>), OnnxError> {
        let found = tensor.data_type.unwrap_or(DataType(0));
        if found != kind {
            return Err(self.refuse(
                format!("a tensor of {kind}"),
                found.to_string(),
                "export the model in 32-bit floats",
            ));
        }
        let dims: Option<Vec<usize>> = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
        let len = dims.as_ref().and_then(|dims| dims.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim)));
        match (dims, values) {
            (Some(dims), Some(values)) if len == Some(values.len()) => Ok((dims, values)),
            (_, values) => {
                let found = format!("{} values", values.map_or(0, |values| values.len()));
                let expected = format!("as many values as {:?} says", tensor.dims);
                Err(self.refuse(expected, found, "the file is damaged: write it again"))
            }
        }
    }

    /// `count` values of an input.
    fn floats_of(&self, index: usize, count: usize) -> Result<Vec<f32>, OnnxError> {
        let (_, values) = self.floats(index)?;
        if values.len() == count {
            return Ok(values);
        }
        let expected = format!("{count} values as input {index}");
        Err(self.refuse(expected, values.len().to_string(), "export the model again"))
    }

    /// The bias, which may be left out.
    fn bias(&self, index: usize, count: usize) -> Result<Vec<f32>, OnnxError> {
        match self.node.input.get(index) {
            Some(name) if !name.is_empty() => self.floats_of(index, count),
            _ => Ok(vec![0.0; count]),
        }
    }
}

/// Distance from the first to the last tap, both counted.
fn reach(window: &Window, axis: usize) -> usize {
    window.dilation[axis] * (window.kernel[axis] - 1) + 1
}

/// Little-endian words, if the bytes are whole words.
pub(super) fn words<T, const N: usize>(bytes: &[u8], word: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
    let (words, rest) = bytes.as_chunks();
    rest.is_empty().then(|| words.iter().map(|&bytes| word(bytes)).collect())
}
