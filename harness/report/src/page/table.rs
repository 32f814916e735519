//! A table as HTML, and as a link to its CSV.

use crate::error::ReportError;
use crate::format::Format;
use crate::grid::{Cell, Grid};
use minijinja::HtmlEscape;
use std::fmt::Write as _;

/// The columns for people, every number with its full precision in `<data value>`.
pub(super) fn html(grid: &Grid, caption: &str) -> String {
    let columns = grid.people_columns();
    let mut text = format!("<table><caption>{}</caption><thead><tr>", HtmlEscape(caption));
    for (_, column) in &columns {
        let class = if column.is_number() { " class=\"n\"" } else { "" };
        let _ = write!(text, "<th scope=\"col\"{class}>{}</th>", HtmlEscape(column.title()));
    }
    text.push_str("</tr></thead><tbody>");
    for row in grid.rows() {
        text.push_str("<tr>");
        for (place, (at, column)) in columns.iter().enumerate() {
            let cell = row.get(*at).unwrap_or(&Cell::Missing);
            let shown = cell.for_people();
            let shown = HtmlEscape(&shown);
            let class = if column.is_number() { " class=\"n\"" } else { "" };
            let told = match cell {
                Cell::Number { value, .. } => format!("<data value=\"{value}\">{shown}</data>"),
                Cell::Missing => "<span class=\"none\" title=\"not known\">–</span>".to_owned(),
                _ => shown.to_string(),
            };
            // The first cell names its row.
            let _ = match place {
                0 => write!(text, "<th scope=\"row\"{class}>{told}</th>"),
                _ => write!(text, "<td{class}>{told}</td>"),
            };
        }
        text.push_str("</tr>");
    }
    text.push_str("</tbody></table>");
    text
}

/// An address that holds the table as CSV.
///
/// # Errors
/// [`ReportError::Csv`].
pub(super) fn csv_link(grid: &Grid) -> Result<String, ReportError> {
    let csv = grid.render(Format::Csv, 0)?;
    let mut link = String::from("data:text/csv;charset=utf-8,");
    for byte in csv.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b',' => {
                link.push(char::from(byte));
            }
            _ => {
                let _ = write!(link, "%{byte:02X}");
            }
        }
    }
    Ok(link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Column;

    #[test]
    fn cells_are_escaped_and_numbers_keep_their_digits() {
        let mut grid = Grid::new(vec![
            Column::text("name", "<name>"),
            Column::number("usd", "USD"),
            Column::data("hidden"),
        ]);
        grid.push(vec!["<b>\"x\" & 'y'</b>".into(), Cell::number(0.123_456), "h".into()]);
        grid.push(vec!["=1+1".into(), Cell::Missing]);
        insta::assert_snapshot!(html(&grid, "a < b"), @r#"<table><caption>a &lt; b</caption><thead><tr><th scope="col">&lt;name&gt;</th><th scope="col" class="n">USD</th></tr></thead><tbody><tr><th scope="row">&lt;b&gt;&quot;x&quot; &amp; &#x27;y&#x27;&lt;&#x2f;b&gt;</th><td class="n"><data value="0.123456">0.123</data></td></tr><tr><th scope="row">=1+1</th><td class="n"><span class="none" title="not known">–</span></td></tr></tbody></table>"#);
    }

    #[test]
    fn the_link_holds_the_whole_table_and_no_formula() {
        let mut grid = Grid::new(vec![Column::text("name", "name"), Column::data("more")]);
        grid.push(vec!["=1+1".into(), "ü\"".into()]);
        assert_eq!(
            csv_link(&grid).unwrap(),
            "data:text/csv;charset=utf-8,name,more%0A%27%3D1%2B1,%22%C3%BC%22%22%22%0A"
        );
    }
}
