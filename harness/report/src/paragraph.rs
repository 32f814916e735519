//! Prose in a terminal.

use crate::visible::visible;

/// Breaks a text between words so that no line is wider than `width`, unless one word is.
pub(crate) fn wrapped(text: &str, width: u16) -> String {
    let text = visible(text);
    let width = usize::from(width.max(20));
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three four five six", 20), "one two three four\nfive six");
        assert_eq!(
            wrapped("a-word-longer-than-twenty-columns b", 20),
            "a-word-longer-than-twenty-columns\nb"
        );
        assert_eq!(wrapped("", 20), "");
    }
}
