//! Tables for people.

/// Rows of text under headings, as wide as their longest cells.
pub(super) struct Table {
    headings: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(headings: &'static [&'static str]) -> Self {
        Self { headings, rows: Vec::new() }
    }

    pub(super) fn add(&mut self, row: Vec<String>) {
        debug_assert_eq!(row.len(), self.headings.len());
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Lays the table out, without blanks at the ends of lines.
    pub(super) fn text(&self) -> String {
        let headings: Vec<String> = self.headings.iter().map(|heading| (*heading).to_owned()).collect();
        let rows: Vec<&Vec<String>> = std::iter::once(&headings).chain(&self.rows).collect();
        let widths: Vec<usize> = (0..headings.len())
            .map(|column| rows.iter().map(|row| width(row, column)).max().unwrap_or(0))
            .collect();
        let line = |row: &&Vec<String>| {
            let cells = widths.iter().enumerate().map(|(column, wide)| {
                let cell = row.get(column).map_or("", String::as_str);
                format!("{cell}{}", " ".repeat(wide.saturating_sub(cell.chars().count())))
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn width(row: &[String], column: usize) -> usize {
    row.get(column).map_or(0, |cell| cell.chars().count())
}

/// Shows what may be absent.
pub(super) fn or_dash(cell: Option<impl ToString>) -> String {
    cell.map_or_else(|| "-".to_owned(), |cell| cell.to_string())
}

/// Shows a list; `all` when it is empty, as an empty list of what is allowed allows everything.
pub(super) fn or_all(cells: &[String]) -> String {
    if cells.is_empty() { "all".to_owned() } else { cells.join(",") }
}

/// Shows an amount in its unit, without digits that say nothing.
pub(super) fn amount(amount: f64, unit: &str) -> String {
    match unit {
        "usd" => format!("${amount:.4}"),
        _ => format!("{amount:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_longest_cells() {
        let mut table = Table::new(&["client", "keys"]);
        table.add(vec!["ci".to_owned(), "2".to_owned()]);
        table.add(vec!["Zoë's tools".to_owned(), String::new()]);
        assert_eq!(table.text(), "client       keys\nci           2\nZoë's tools");
    }

    #[test]
    fn dollars_have_cents_of_cents_and_tokens_have_none() {
        assert_eq!(
            (amount(12.5, "usd"), amount(1e6, "tokens")),
            ("$12.5000".to_owned(), "1000000".to_owned())
        );
    }
}
