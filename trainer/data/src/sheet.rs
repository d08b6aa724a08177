//! A contact sheet: what a set looks like at a glance.

use crate::dataset::Dataset;
use crate::sound::compress;

/// Images in a row, at most.
const COLUMNS: usize = 12;
/// Rows, at most; classes beyond them are not shown.
const ROWS: usize = 24;

/// Images for a sheet, and its columns: a row for each class, or without classes a few rows of all. They are spread
/// evenly over the set; places that a class cannot fill are black, or of sounds, whose images have one column, silent.
pub fn contact_sheet(dataset: &Dataset) -> (Vec<Vec<u8>>, usize) {
    let spread = |indices: &[usize], count: usize| -> Vec<usize> {
        let count = count.min(indices.len());
        (0..count).map(|place| indices[place * indices.len() / count]).collect()
    };
    let all: Vec<usize> = (0..dataset.len()).collect();
    let Some(labels) = dataset.labels.as_ref().filter(|_| dataset.classes() > 1) else {
        let chosen = spread(&all, COLUMNS * 8);
        return (chosen.iter().map(|&index| dataset.image(index).to_vec()).collect(), COLUMNS.min(chosen.len()));
    };
    let blank = vec![if dataset.shape[1] == 1 { compress(0.0) } else { 0 }; dataset.shape.iter().product()];
    let mut images = Vec::new();
    for class in 0..dataset.classes().min(ROWS) {
        let members: Vec<usize> = all.iter().copied().filter(|&index| usize::from(labels[index]) == class).collect();
        let row = spread(&members, COLUMNS);
        images.extend(row.iter().map(|&index| dataset.image(index).to_vec()));
        images.extend(std::iter::repeat_n(blank.clone(), COLUMNS - row.len()));
    }
    (images, COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_class() {
        let labels: Vec<u8> = (0..30).map(|index| u8::from(index >= 28)).collect();
        let images = (0..30).collect();
        let set =
            Dataset { name: String::new(), images, labels: Some(labels), class_names: Vec::new(), shape: [1, 1, 1] };
        let (sheet, columns) = contact_sheet(&set);
        assert_eq!((sheet.len(), columns), (24, 12));
        assert_eq!(
            (&sheet[0][..], &sheet[11][..], &sheet[12][..], &sheet[14][..]),
            (&[0][..], &[25][..], &[28][..], &[128][..])
        );
        let flat = Dataset { labels: None, ..set };
        assert_eq!(contact_sheet(&flat).0.len(), 30);
    }
}
