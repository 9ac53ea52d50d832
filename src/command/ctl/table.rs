//! Tables for people.

/// Rows of text under headings, as wide as their longest cells. A cell may have several lines.
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
        let line = |row: &[String], number: usize| {
            let cells = widths.iter().enumerate().map(|(column, wide)| {
                let cell = row.get(column).and_then(|cell| cell.lines().nth(number)).unwrap_or_default();
                format!("{cell}{}", " ".repeat(wide.saturating_sub(cell.chars().count())))
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let lines = rows.iter().flat_map(|row| {
            let height = row.iter().map(|cell| cell.lines().count()).max().unwrap_or(0);
            (0..height).map(move |number| line(row, number))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn width(row: &[String], column: usize) -> usize {
    let lines = row.get(column).map(|cell| cell.lines()).into_iter().flatten();
    lines.map(|line| line.chars().count()).max().unwrap_or(0)
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
        "usd" => dollars(amount),
        _ => format!("{amount:.0}"),
    }
}

/// Shows dollars to a hundredth of a cent, and less than one of them to the last digit that is counted: billionths.
fn dollars(amount: f64) -> String {
    let nanos = format!("${amount:.9}");
    let shown = nanos.trim_end_matches('0');
    let fewest = nanos.len() - 5;
    if amount >= 1.0 { format!("${amount:.4}") } else { nanos[..shown.len().max(fewest)].to_owned() }
}

/// Breaks a list into lines of about `wide` characters, between its items.
pub(super) fn in_lines(items: &[String], wide: usize) -> String {
    let mut text = String::new();
    let mut line = 0;
    for (place, item) in items.iter().enumerate() {
        let length = item.chars().count() + 1;
        if place > 0 {
            text.push(',');
            if line + length > wide {
                text.push('\n');
                line = 0;
            }
        }
        text.push_str(item);
        line += length;
    }
    text
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

    #[test]
    fn what_is_less_than_a_dollar_is_shown_to_the_last_digit_that_is_counted() {
        let shown = [0.00045, 0.000_000_003, 0.5, 0.0, -0.25].map(|amount| super::amount(amount, "usd"));
        assert_eq!(shown, ["$0.00045", "$0.000000003", "$0.5000", "$0.0000", "$-0.2500"]);
    }

    #[test]
    fn a_long_list_stands_in_several_lines_of_its_cell() {
        let mut table = Table::new(&["models", "input"]);
        let models = ["a-model", "b-model", "c-model"].map(str::to_owned);
        table.add(vec![in_lines(&models, 16), "3".to_owned()]);
        table.add(vec!["d".to_owned(), "4".to_owned()]);
        assert_eq!(
            table.text(),
            "models            input\na-model,b-model,  3\nc-model\nd                 4"
        );
    }
}
