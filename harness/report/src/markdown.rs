//! Text from a CSV or a user as a piece of Markdown that says the same and nothing else.

use crate::visible::visible;

/// Escapes what Markdown, or the HTML within it, would read as more than text.
///
/// Entities stand for the characters of HTML, backslashes for those of Markdown. An underscore
/// between letters or digits marks nothing and stays, so that `q4_0` and `usd_per_year` remain
/// readable. Line breaks become spaces: no text may begin a block of its own.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut before = None;
    let text = visible(text);
    let mut rest = text.chars().peekable();
    while let Some(this) = rest.next() {
        let word = |side: Option<char>| side.is_some_and(char::is_alphanumeric);
        match this {
            '&' => out.push_str("&amp;"),
            // No tag begins with a digit: `<0.001` stays readable.
            '<' if rest.peek().is_some_and(char::is_ascii_digit) => out.push(this),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' | '$' => out.extend(['\\', this]),
            '_' if word(before) && word(rest.peek().copied()) => out.push(this),
            '_' => out.push_str("\\_"),
            '\n' => out.push(' '),
            _ => out.push(this),
        }
        before = Some(this);
    }
    out
}

/// A whole paragraph: as [`escaped`], and what would make it a heading, a list or a rule too.
pub(crate) fn paragraph(text: &str) -> String {
    let text = escaped(text);
    if text.starts_with(['#', '+', '-', '=']) { format!("\\{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::{escaped, paragraph};

    #[test]
    fn what_a_name_holds_is_shown_and_does_nothing() {
        let name = "<img src=x onerror=alert(1)> [a](javascript:b) `c` *d* _e_ q4_0 f|g";
        assert_eq!(
            escaped(name),
            r"&lt;img src=x onerror=alert(1)&gt; \[a\](javascript:b) \`c\` \*d\* \_e\_ q4_0 f\|g"
        );
        assert_eq!((&*escaped("=1+1"), &*paragraph("=1+1")), ("=1+1", r"\=1+1"));
        assert_eq!(paragraph("- a\n# b"), r"\- a # b");
        assert_eq!(escaped("<0.001 <1>"), "<0.001 <1&gt;");
        assert_eq!(escaped("a\\|b &lt;"), r"a\\\|b &amp;lt;");
        assert_eq!(escaped("Größe 模型 138 (P5–P95)"), "Größe 模型 138 (P5–P95)");
    }
}
