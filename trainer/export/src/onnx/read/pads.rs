//! Borders around maps, and pooling.

use edgegen_runtime::graph::Border;
use tract_onnx::tract_core::ops::array::{Pad, PadMode};
use tract_onnx::tract_core::ops::cnn::{MaxPool, PoolSpec, SumPool};

use super::OnnxError;
use super::features::{Each, Features};
use super::product::steps;
use super::reader::{Reader, Value, floats};
use crate::function::Function;
use crate::layers::{Layer, Window};

impl Reader<'_> {
    pub fn pad(&mut self, features: &Features, op: &Pad, sizes: &[usize]) -> Result<Features, OnnxError> {
        let padded: Vec<usize> = (0..op.pads.len()).filter(|&axis| op.pads[axis] != (0, 0)).collect();
        if padded.is_empty() {
            return Ok(features.clone());
        }
        if padded.len() > 2 {
            return Err(self.not_yet(&format!("pads {} axes", padded.len()), "pad rows and columns only"));
        }
        let (border, value) = match &op.mode {
            PadMode::Constant(value) => (Border::Zero, floats(value, &self.place)?.first().copied().unwrap_or(0.0)),
            PadMode::Reflect => (Border::Reflect, 0.0),
            PadMode::Edge => (Border::Repeat, 0.0),
        };
        let groups = self.groups_with_pixels(features, &padded);
        // Another constant is zero of the values less it.
        let mut shifted = features.clone();
        shifted.push(Each::Common(Function::affine(1.0, -value)));
        let read = if value == 0.0 { features } else { &shifted };
        let node = self.map(read, &groups);
        let pads = |group: &[usize]| match *group {
            [axis] => [op.pads[axis].0, op.pads[axis].1],
            _ => [0, 0],
        };
        let padding = [pads(&groups[1]), pads(&groups[2])];
        let [c, h, w] = self.shapes[node];
        let to = [c, h + padding[0][0] + padding[0][1], w + padding[1][0] + padding[1][1]];
        let longest = if border == Border::Reflect { [h - 1, w - 1] } else { [usize::MAX; 2] };
        if (0..2).any(|axis| padding[axis].iter().any(|&pad| pad > longest[axis])) {
            return Err(self.refuse("a reflected border smaller than the map", &format!("{padding:?}"), "pad less"));
        }
        let name = self.name.clone();
        let node = self.add(&name, Layer::Pad { padding, border }, vec![node], to);
        let mut made = self.as_tensor(node, &groups, sizes);
        if value != 0.0 {
            made.push(Each::Common(Function::affine(1.0, value)));
        }
        Ok(made)
    }

    /// Axes as channels, rows and columns, so that those of `wanted` are rows or columns by themselves.
    pub fn groups_with_pixels(&self, features: &Features, wanted: &[usize]) -> [Vec<usize>; 3] {
        let fits = |groups: &[Vec<usize>; 3]| wanted.iter().all(|&axis| groups[1] == [axis] || groups[2] == [axis]);
        let rank = features.view.rank();
        let usual = match rank {
            4 => [vec![1], vec![2], vec![3]],
            3 => [vec![1], vec![], vec![2]],
            _ => [vec![], vec![], vec![]],
        };
        let own = self.groups(features);
        let last = [vec![3], vec![1], vec![2]];
        for groups in [own, usual] {
            if fits(&groups) {
                return groups;
            }
        }
        if rank == 4 && fits(&last) {
            return last;
        }
        let others = (0..rank).filter(|axis| !wanted.contains(axis)).collect();
        match *wanted {
            [h, w] => [others, vec![h], vec![w]],
            _ => [others, vec![], wanted.to_vec()],
        }
    }

    /// All values of a node as a tensor of `sizes` whose axes are grouped so.
    pub fn as_tensor(&self, node: usize, groups: &[Vec<usize>; 3], sizes: &[usize]) -> Features {
        let order = groups.concat();
        let lengths: Vec<usize> = order.iter().map(|&axis| sizes[axis]).collect();
        let back: Vec<Vec<usize>> =
            (0..sizes.len()).map(|axis| order.iter().position(|&other| other == axis).into_iter().collect()).collect();
        let view = super::view::View::contiguous(&lengths).gathered(&back);
        Features { node, stages: vec![], view, name: self.name.clone() }
    }

    pub fn average(&mut self, features: &Features, op: &SumPool, sizes: &[usize]) -> Result<Features, OnnxError> {
        let (node, window) = self.pool(features, &op.pool_spec, sizes)?;
        let [channels, h, w] = self.shapes[node];
        let whole =
            window.kernel == [h, w] && window.padding == [[0; 2]; 2] && sizes[2..].iter().all(|&side| side == 1);
        let name = self.name.clone();
        let layer = match whole {
            true => Layer::GlobalMean,
            false => Layer::AveragePool { window, exclude_padding: !op.count_include_pad },
        };
        let (rows, columns) = (if sizes.len() == 4 { sizes[2] } else { 1 }, sizes[sizes.len() - 1]);
        let made = self.add(&name, layer, vec![node], [channels, rows, columns]);
        let mut made = Features::new(made, sizes, &name);
        if !op.normalize {
            let taps = (window.kernel[0] * window.kernel[1]) as f32;
            made.push(Each::Common(Function::affine(taps, 0.0)));
        }
        Ok(made)
    }

    /// A pooling's map and window.
    fn pool(&mut self, features: &Features, spec: &PoolSpec, sizes: &[usize]) -> Result<(usize, Window), OnnxError> {
        let groups = match sizes.len() {
            4 => [vec![1], vec![2], vec![3]],
            3 => [vec![1], vec![], vec![2]],
            rank => return Err(self.not_yet(&format!("pools {} axes", rank - 2), "use one or two axes")),
        };
        let node = self.map(features, &groups);
        let [channels, h, w] = self.shapes[node];
        if spec.kernel_shape.len() + 2 != sizes.len() {
            return Err(self.refuse(
                "a window over all rows and columns",
                &format!("{:?}", spec.kernel_shape),
                "export it again",
            ));
        }
        let pads = spec.computed_padding(&[h, w][4 - sizes.len()..]);
        let pads: Vec<[usize; 2]> = pads.iter().map(|pad| [pad.pad_before, pad.pad_after]).collect();
        let window = self.window(spec, &pads, channels, 1);
        self.agrees([channels, steps(&window, h, 0), steps(&window, w, 1)], sizes)?;
        Ok((node, window))
    }

    /// The maximum of each window: of the map shifted by each of its taps.
    pub fn maximum(&mut self, features: &Features, op: &MaxPool, sizes: &[usize]) -> Result<Value, OnnxError> {
        let spec = &op.pool_spec;
        let spatial: Vec<usize> = (2..sizes.len()).collect();
        if spec.kernel_shape.len() != spatial.len() {
            return Err(self.refuse(
                "a window over all rows and columns",
                &format!("{:?}", spec.kernel_shape),
                "export it again",
            ));
        }
        let pads = spec.computed_padding(&features.view.sizes()[2..]);
        if pads.iter().any(|pad| pad.pad_before + pad.pad_after > 0) || spec.kernel_shape.iter().product::<usize>() > 9
        {
            return Err(self.not_yet("takes the maximum of large or padded windows", "use windows of 2×2 or a stride"));
        }
        let mut taps = vec![features.clone()];
        for &axis in &spatial {
            let index = axis - 2;
            let shifted = taps.iter().flat_map(|tap| (0..spec.kernel_shape[index]).map(move |place| (tap, place)));
            let shifted: Vec<_> = shifted.map(|(tap, place)| (tap.clone(), place * spec.dilation(index))).collect();
            let step = spec.stride(index) as isize;
            taps = shifted.iter().map(|(tap, first)| self.sliced(tap, axis, *first, sizes[axis], step)).collect();
        }
        let mut taps = taps.into_iter().map(Value::Features);
        let mut largest = taps.next().unwrap_or(Value::Features(features.clone()));
        for tap in taps {
            largest = self.binary("Max", &[largest, tap], sizes)?;
        }
        Ok(largest)
    }
}
