//! A tensor of the file as a view of what a node of ours makes.
//!
//! Exporters move values about a lot: squeeze, view, permute, expand. Most of it only gives the same values other
//! indices, so a tensor is kept as the strides with which it reads the values of a node, and nothing is computed until
//! an operator needs them in a certain order.

/// Steps through the values of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stride {
    /// How many steps there are.
    pub count: usize,
    /// How far each of them goes; 0 where the same value is read again.
    pub step: isize,
}

/// Where each element of a tensor stands among the values of a node, which are in the order C, H, W.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Place of the first element.
    start: usize,
    /// For each axis the strides that it is made of, the slowest first; none for an axis of size 1.
    axes: Vec<Vec<Stride>>,
}

impl View {
    /// A tensor of these sizes whose elements stand in their own order.
    pub fn contiguous(sizes: &[usize]) -> Self {
        let mut step = 1;
        let mut axes = vec![Vec::new(); sizes.len()];
        for (axis, &count) in axes.iter_mut().zip(sizes).rev() {
            if count != 1 {
                axis.push(Stride { count, step });
            }
            step *= count as isize;
        }
        Self { start: 0, axes }
    }

    /// Length of an axis.
    pub fn size(&self, axis: usize) -> usize {
        self.axes[axis].iter().map(|stride| stride.count).product()
    }

    /// Lengths of all axes.
    pub fn sizes(&self) -> Vec<usize> {
        (0..self.axes.len()).map(|axis| self.size(axis)).collect()
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.axes.len()
    }

    /// With an axis of size 1 more.
    pub fn insert(mut self, axis: usize) -> Self {
        self.axes.insert(axis, Vec::new());
        self
    }

    /// Without an axis of size 1.
    pub fn remove(mut self, axis: usize) -> Self {
        self.axes.remove(axis);
        self
    }

    /// With an axis in another place.
    pub fn shift(mut self, from: usize, to: usize) -> Self {
        let axis = self.axes.remove(from);
        self.axes.insert(to, axis);
        self
    }

    /// The axes named by each list, run through as one, the first the slowest. All others must have size 1.
    pub fn gathered(&self, groups: &[Vec<usize>]) -> Self {
        let joined = |group: &Vec<usize>| group.iter().flat_map(|&axis| self.axes[axis].clone()).collect();
        Self { start: self.start, axes: groups.iter().map(joined).collect() }
    }

    /// With `count` axes from `first` on replaced by axes of the sizes `to`, or nothing where no strides do that.
    pub fn reshape(&self, first: usize, count: usize, to: &[usize]) -> Option<Self> {
        let mut rest = merged(self.axes[first..first + count].concat());
        let mut made = Vec::with_capacity(to.len());
        for &size in to.iter().rev() {
            made.push(split_off(&mut rest, size)?);
        }
        made.reverse();
        let mut axes = self.axes.clone();
        axes.splice(first..first + count, made);
        rest.is_empty().then_some(Self { start: self.start, axes })
    }

    /// Every `step`th index of an axis from `first` on, `count` of them, or nothing where no strides do that.
    pub fn slice(&self, axis: usize, first: usize, count: usize, step: isize) -> Option<Self> {
        let mut view = self.clone();
        if self.axes[axis].is_empty() {
            return (first == 0 && count == 1).then_some(view);
        }
        let [stride] = merged(self.axes[axis].clone())[..] else { return None };
        view.start = self.start.checked_add_signed(first as isize * stride.step)?;
        view.axes[axis] = if count == 1 { vec![] } else { vec![Stride { count, step: stride.step * step }] };
        Some(view)
    }

    /// With axes of size 1 repeated to `sizes`; axes that it lacks are the first ones.
    pub fn broadcast(&self, sizes: &[usize]) -> Self {
        let mut axes = vec![Vec::new(); sizes.len() - self.axes.len()];
        axes.extend(self.axes.iter().cloned());
        for (axis, &count) in axes.iter_mut().zip(sizes) {
            if axis.is_empty() && count != 1 {
                axis.push(Stride { count, step: 0 });
            }
        }
        Self { start: self.start, axes }
    }

    /// With an axis that is run through `times` times.
    pub fn tile(mut self, axis: usize, times: usize) -> Self {
        if times != 1 {
            self.axes[axis].insert(0, Stride { count: times, step: 0 });
        }
        self
    }

    /// With each index of an axis `times` times, one after the other.
    pub fn repeat(mut self, axis: usize, times: usize) -> Self {
        if times != 1 {
            self.axes[axis].push(Stride { count: times, step: 0 });
        }
        self
    }

    /// Place of each element, in the order of the tensor.
    pub fn places(&self) -> Vec<usize> {
        let mut places = vec![self.start];
        for stride in merged(self.axes.concat()) {
            let step = |place: usize, index: usize| place.wrapping_add_signed(index as isize * stride.step);
            places = places.iter().flat_map(|&place| (0..stride.count).map(move |index| step(place, index))).collect();
        }
        places
    }

    /// Whether its elements are the `len` values of the node in their own order.
    pub fn in_order(&self, len: usize) -> bool {
        let strides = merged(self.axes.concat());
        self.start == 0 && (len == 1 && strides.is_empty() || strides == [Stride { count: len, step: 1 }])
    }

    /// Whether it has each of the `len` values of the node once.
    pub fn covers(&self, len: usize) -> bool {
        let mut strides = self.axes.concat();
        strides.sort_by_key(|stride| stride.step);
        let mut reach = 1;
        for stride in strides {
            if stride.step != reach as isize {
                return false;
            }
            reach *= stride.count;
        }
        self.start == 0 && reach == len
    }

    /// The axis that walks through the node with this step, at most so often, and with no other, if there is one.
    pub fn axis_within(&self, most: Stride) -> Option<usize> {
        let within = |axis: &Vec<Stride>| match merged(axis.clone())[..] {
            [Stride { count, step }] => step == most.step && count <= most.count,
            _ => false,
        };
        self.axes.iter().position(within)
    }
}

/// Neighbours that are one stride made one.
fn merged(strides: Vec<Stride>) -> Vec<Stride> {
    let mut made: Vec<Stride> = Vec::with_capacity(strides.len());
    for stride in strides {
        match made.last_mut() {
            Some(last) if last.step == stride.count as isize * stride.step => {
                *last = Stride { count: last.count * stride.count, step: stride.step };
            }
            _ => made.push(stride),
        }
    }
    made
}

/// The fastest `size` elements of `rest`, which keeps the slower ones.
fn split_off(rest: &mut Vec<Stride>, size: usize) -> Option<Vec<Stride>> {
    let (mut axis, mut need) = (Vec::new(), size);
    while need > 1 {
        let last = rest.pop()?;
        if need.is_multiple_of(last.count) {
            need /= last.count;
            axis.push(last);
        } else if last.count.is_multiple_of(need) {
            rest.push(Stride { count: last.count / need, step: last.step * need as isize });
            axis.push(Stride { count: need, step: last.step });
            need = 1;
        } else {
            return None;
        }
    }
    axis.reverse();
    Some(axis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_vector_becomes_a_map() {
        let view = View::contiguous(&[1, 24]).reshape(1, 1, &[2, 3, 4]).expect("24 is 2 · 3 · 4");
        assert_eq!(view.sizes(), [1, 2, 3, 4]);
        assert!(view.in_order(24) && view.covers(24));
    }

    #[test]
    fn channels_last() {
        let view = View::contiguous(&[1, 3, 4, 2]).shift(3, 1);
        assert_eq!(view.sizes(), [1, 2, 3, 4]);
        assert!(view.covers(24) && !view.in_order(24));
        assert_eq!(view.places()[..3], [0, 2, 4]);
    }

    #[test]
    fn depth_to_space_is_a_view() {
        let blocks = View::contiguous(&[1, 4, 1, 2]).reshape(1, 1, &[1, 2, 2]).expect("4 is 1 · 2 · 2");
        let view = blocks.shift(3, 5).shift(2, 3).reshape(2, 4, &[2, 4]).expect("rows and columns");
        assert_eq!(view.sizes(), [1, 1, 2, 4]);
        assert_eq!(view.places(), [0, 2, 1, 3, 4, 6, 5, 7]);
    }

    #[test]
    fn slices_and_repetitions() {
        let view = View::contiguous(&[4, 3]).slice(0, 1, 2, 1).expect("rows 1 and 2");
        assert_eq!(view.places(), [3, 4, 5, 6, 7, 8]);
        let vector = View::contiguous(&[2, 1, 1]).broadcast(&[2, 1, 2]);
        assert_eq!(vector.places(), [0, 0, 1, 1]);
        assert!(!vector.covers(2));
        assert_eq!(View::contiguous(&[2]).tile(0, 2).places(), [0, 1, 0, 1]);
    }
}
