//! Tables that fit the terminal.

use std::io::IsTerminal as _;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

/// A table with a head and aligned columns. Where it is wider than the terminal, rows and columns change places if that fits, or else
/// cells are broken into lines between their words, or each row becomes a table of its own. `COLUMNS` says how wide a terminal is where the system does not; files and pipes are of any width.
pub fn table<const COLUMNS: usize>(head: [&str; COLUMNS], rows: impl IntoIterator<Item = [String; COLUMNS]>) -> String {
    let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
    table_of(&head, &rows)
}

/// [`table`] of a number of columns that is not known before; each row has as many as the head.
pub fn table_of(head: &[&str], rows: &[Vec<String>]) -> String {
    fit(head, rows, width())
}

fn fit(head: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
    let columns = head.len();
    let natural = draw(head.to_vec(), rows.iter().map(Vec::as_slice).collect());
    let Some(width) = width.filter(|&width| widest(&natural) > width) else { return natural.to_string() };
    // A line for each column, with its name before it.
    let turned = head.iter().enumerate().map(|(column, name)| {
        let cells = rows.iter().map(move |row| row[column].clone());
        std::iter::once((*name).to_owned()).chain(cells).collect::<Vec<_>>()
    });
    let mut turned: Vec<Vec<String>> = turned.collect();
    if rows.len() < columns {
        let first = turned.remove(0);
        let sideways = draw(first.iter().map(String::as_str).collect(), turned.iter().map(Vec::as_slice).collect());
        if widest(&sideways) <= width {
            return sideways.to_string();
        }
    }
    // Cells may be broken between words, not in the middle of one.
    let words: Vec<usize> = (0..columns).map(|column| longest_word(head[column], rows, column)).collect();
    if words.iter().map(|word| word + 1).sum::<usize>() + 2 <= width {
        let mut broken = natural;
        for (column, word) in broken.column_iter_mut().zip(&words) {
            let least = Width::Fixed((word + 1) as u16);
            column.set_padding((0, 1)).set_constraint(ColumnConstraint::LowerBoundary(least));
        }
        return within(broken, width);
    }
    // A table for each row, then.
    let row = |row: &Vec<String>| {
        let cells: Vec<Vec<String>> = (1..columns).map(|at| vec![head[at].to_owned(), row[at].clone()]).collect();
        within(draw(vec![head[0], &row[0]], cells.iter().map(Vec::as_slice).collect()), width)
    };
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

fn within(mut table: Table, width: usize) -> String {
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.try_into().unwrap_or(u16::MAX));
    table.to_string()
}

/// The width of the longest word of a column.
fn longest_word(head: &str, rows: &[Vec<String>], column: usize) -> usize {
    let cells = rows.iter().map(|row| row[column].as_str()).chain([head]);
    cells.flat_map(str::split_whitespace).map(console::measure_text_width).max().unwrap_or(0)
}

fn draw(head: Vec<&str>, rows: Vec<&[String]>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY).set_header(head).add_rows(rows);
    table
}

/// Columns that a table takes as it is.
fn widest(table: &Table) -> usize {
    table.lines().map(|line| console::measure_text_width(&line)).max().unwrap_or(0)
}

/// Columns of the terminal that reads standard output.
fn width() -> Option<usize> {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|&columns| columns > 0);
    let asked = || {
        let (_, columns) = console::Term::stdout().size_checked()?;
        Some(usize::from(columns))
    };
    told.or_else(|| if std::io::stdout().is_terminal() { asked() } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widths(text: &str) -> usize {
        text.lines().map(console::measure_text_width).max().unwrap()
    }

    #[test]
    fn a_table_fits_the_terminal() {
        let head = ["name", "what it is", "size", "place"];
        let row = |name: &str| [name, "a board with a display", "5×5", "a shelf in Rome"].map(str::to_owned).to_vec();
        let one = [row("one")];
        let natural = fit(&head, &one, None);
        assert_eq!(fit(&head, &one, Some(widths(&natural))), natural);
        let sideways = fit(&head, &one, Some(widths(&natural) - 1));
        let turned = sideways.lines().any(|line| line.contains("size") && line.contains("5×5"));
        assert!(turned && widths(&sideways) < widths(&natural), "{sideways}");
        let many: Vec<_> = ["one", "two", "three", "four", "five"].map(row).into();
        let broken = fit(&head, &many, Some(40));
        assert!(widths(&broken) <= 40 && broken.contains("three") && broken.contains("display"), "{broken}");
        let single = fit(&head, &many, Some(24));
        assert!(widths(&single) <= 24 && single.matches("display").count() == 5, "{single}");
    }
}
