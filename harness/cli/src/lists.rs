//! `1,4,16` and `1-4`: lists and ranges on the command line.

use std::fmt;

/// Most values of one list: a slip like `1-100000` should not start a week of measuring.
const MOST: usize = 256;

/// Whole numbers given as a list of numbers, ranges `A-B` and ranges with a step `A-B+S`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts(pub Vec<u32>);

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&values.join(","))
    }
}

/// Reads a list of counts that may be zero.
pub fn counts(text: &str) -> Result<Counts, String> {
    let mut values = Vec::new();
    for part in text.split(',') {
        push(part.trim(), &mut values)?;
        if values.len() > MOST {
            return Err(format!("more than {MOST} values; give fewer, or a step as in 1-512+64"));
        }
    }
    Ok(Counts(values))
}

/// Reads a list of counts of at least one.
pub fn positive_counts(text: &str) -> Result<Counts, String> {
    let list = counts(text)?;
    if list.0.contains(&0) {
        return Err("0 measures nothing; give 1 or more".into());
    }
    Ok(list)
}

/// The batches of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batches {
    /// These.
    These(Counts),
    /// Twice as many each time, until memory or throughput ends it, or `to` is passed.
    Doubling {
        /// The first.
        from: u32,
        /// The largest, if there is a limit.
        to: Option<u32>,
    },
}

impl fmt::Display for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::These(counts) => counts.fmt(f),
            Self::Doubling { from, to: None } => write!(f, "{from}.."),
            Self::Doubling { from, to: Some(to) } => write!(f, "{from}..{to}"),
        }
    }
}

/// Reads batches: a list as of [`positive_counts`], or `1..` and `1..64` for those that double.
pub fn batches(text: &str) -> Result<Batches, String> {
    let Some((from, to)) = text.split_once("..") else {
        return positive_counts(text).map(Batches::These);
    };
    let number = |text: &str| match text.trim().parse::<u32>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{text:?} is no batch; write 1.. or 1..64 to double it each time")),
    };
    let from = number(from)?;
    let to = if to.trim().is_empty() { None } else { Some(number(to)?) };
    if to.is_some_and(|to| to < from) {
        return Err(format!("{text:?} counts nothing; write the smaller number first"));
    }
    Ok(Batches::Doubling { from, to })
}

fn push(part: &str, values: &mut Vec<u32>) -> Result<(), String> {
    let number = |text: &str| {
        text.trim()
            .parse::<u32>()
            .map_err(|_| format!("{text:?} is no whole number; write 128 or 1,4,16 or 1-4"))
    };
    let Some((from, to)) = part.split_once('-') else {
        values.push(number(part)?);
        return Ok(());
    };
    let (to, step) = match to.split_once('+') {
        Some((to, step)) => (to, number(step)?),
        None => (to, 1),
    };
    let (from, to) = (number(from)?, number(to)?);
    if step == 0 || from > to {
        return Err(format!(
            "{part:?} counts nothing; write the smaller number first, and a step of 1 or more"
        ));
    }
    values.extend((from..=to).step_by(step as usize).take(MOST + 1));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_ranges_and_steps() {
        assert_eq!(counts("1,4, 16").unwrap().0, [1, 4, 16]);
        assert_eq!(counts("0,2-4").unwrap().0, [0, 2, 3, 4]);
        assert_eq!(counts("128-512+128").unwrap().0, [128, 256, 384, 512]);
    }

    #[test]
    fn batches_double_behind_two_dots() {
        assert_eq!(batches("1,4").unwrap(), Batches::These(Counts(vec![1, 4])));
        assert_eq!(batches("1..").unwrap(), Batches::Doubling { from: 1, to: None });
        assert_eq!(batches("2..64").unwrap(), Batches::Doubling { from: 2, to: Some(64) });
        for text in ["..", "0..", "..8", "8..4", "1...", "a.."] {
            assert!(batches(text).is_err(), "{text}");
        }
        for text in ["1,4", "1..", "2..64"] {
            assert_eq!(batches(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn slips_are_answered() {
        for text in ["", "a", "4-1", "1-4+0", "-3", "1.5", "1-100000"] {
            assert!(counts(text).is_err(), "{text}");
        }
        assert_eq!(positive_counts("1,0").unwrap_err(), "0 measures nothing; give 1 or more");
    }
}
