//! Tables for people who read a terminal.

use std::io::{self, Write};

use super::shown::plain;

/// Writes rows under their headings, each column as wide as its widest cell.
pub(super) fn write<const N: usize>(
    out: &mut dyn Write,
    headings: [&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let headings = headings.map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&headings]).map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    for row in [&headings].into_iter().chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&plain(cell));
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_line_up_and_control_characters_do_nothing() {
        let mut out = Vec::new();
        let rows = [["ann".to_owned(), "\u{1b}[31m".to_owned()], ["benjamin".to_owned(), "x".to_owned()]];
        super::write(&mut out, ["User", "Role"], &rows).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "User      Role\nann       \u{fffd}[31m\nbenjamin  x\n");
    }
}
