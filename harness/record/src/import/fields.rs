//! Named values of an object or of a row, with errors that say where a value stands.

use crate::read::ReadError;
use crate::text::Text;
use serde_json::Value;

/// Where named values come from.
#[derive(Clone)]
pub(super) enum Source<'a> {
    /// A JSON object, and how to get to it.
    Json {
        /// Put before a name in a message.
        place: String,
        /// The object.
        value: &'a Value,
    },
    /// A row under its header.
    Row {
        /// Line, from 1.
        line: u64,
        /// Names.
        header: &'a [String],
        /// Values, as many as names.
        cells: &'a [String],
    },
}

/// Named values. What is missing, null or blank is `None`, never 0.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    source: Source<'a>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self { source }
    }

    /// Text, or a number or a boolean as it is written.
    pub(super) fn text(&self, name: &str) -> Option<Text> {
        let text = match &self.source {
            Source::Json { value, .. } => match value.get(name)? {
                Value::String(text) => text.trim().to_owned(),
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            },
            Source::Row { header, cells, .. } => {
                cells[header.iter().position(|cell| cell == name)?].clone()
            }
        };
        (!text.is_empty()).then(|| text.into())
    }

    /// The first of several names that has text.
    pub(super) fn text_of(&self, names: &[&str]) -> Option<Text> {
        names.iter().find_map(|name| self.text(name))
    }

    /// A figure: finite, and not below zero, as every figure of a benchmark is.
    ///
    /// # Errors
    /// [`ReadError`] where there is something else.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, ReadError> {
        if let Source::Json { value, .. } = &self.source
            && let Some(found @ (Value::Array(_) | Value::Object(_))) = value.get(name)
        {
            return Err(self.refuse(name, &found.to_string(), "a number"));
        }
        let Some(text) = self.text(name) else { return Ok(None) };
        let number: f64 = text.parse().map_err(|_| self.refuse(name, &text, "a number"))?;
        match number {
            number if !number.is_finite() => Err(self.refuse(name, &text, "a finite number")),
            number if number < 0.0 => Err(self.refuse(name, &text, "0 or more")),
            number => Ok(Some(number)),
        }
    }

    /// The first of several names that has a figure.
    ///
    /// # Errors
    /// [`ReadError`] where there is something else than a figure.
    pub(super) fn number_of(&self, names: &[&str]) -> Result<Option<f64>, ReadError> {
        for name in names {
            if let Some(number) = self.number(name)? {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// A figure that has to be there.
    ///
    /// # Errors
    /// [`ReadError`] where there is none.
    pub(super) fn needed(&self, name: &str) -> Result<f64, ReadError> {
        self.number(name)?.ok_or_else(|| self.refuse(name, "", "a number"))
    }

    /// A whole number.
    ///
    /// # Errors
    /// [`ReadError`] where there is something else.
    pub(super) fn count(&self, name: &str) -> Result<Option<u64>, ReadError> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        whole(number).map(Some).ok_or_else(|| {
            self.refuse(name, &self.text(name).unwrap_or_default(), "a whole number")
        })
    }

    /// A whole number that fits where threads and sequences are counted.
    ///
    /// # Errors
    /// [`ReadError`] where there is something else.
    pub(super) fn small_count(&self, name: &str) -> Result<Option<u32>, ReadError> {
        let Some(count) = self.count(name)? else { return Ok(None) };
        let small = u32::try_from(count);
        small.map(Some).map_err(|_| self.refuse(name, &count.to_string(), "below 2^32"))
    }

    /// A list of figures; empty where there is none.
    ///
    /// # Errors
    /// [`ReadError`] where there is something else.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<f64>, ReadError> {
        let Source::Json { value, .. } = &self.source else { return Ok(Vec::new()) };
        match value.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let number = |item: &Value| item.as_f64().filter(|number| *number >= 0.0);
                let wrong = |item: &Value| {
                    self.refuse(name, &item.to_string(), "a list of numbers of 0 or more")
                };
                items.iter().map(|item| number(item).ok_or_else(|| wrong(item))).collect()
            }
            Some(other) => Err(self.refuse(name, &other.to_string(), "a list of numbers")),
        }
    }

    /// The object under a name.
    pub(super) fn child(&self, name: &str) -> Option<Fields<'a>> {
        let Source::Json { place, value } = &self.source else { return None };
        let value = value.get(name).filter(|value| value.is_object())?;
        Some(Fields::new(Source::Json { place: format!("{place}{name}."), value }))
    }

    /// The object at the end of several names.
    pub(super) fn path(&self, names: &[&str]) -> Option<Fields<'a>> {
        names.iter().try_fold(self.clone(), |fields, name| fields.child(name))
    }

    /// The objects of the list under a name.
    pub(super) fn children(&self, name: &str) -> Vec<Fields<'a>> {
        let Source::Json { place, value } = &self.source else { return Vec::new() };
        let items = value.get(name).and_then(Value::as_array).into_iter().flatten().enumerate();
        items
            .map(|(at, value)| {
                Fields::new(Source::Json { place: format!("{place}{name}[{at}]."), value })
            })
            .collect()
    }

    /// The objects under whatever names there are.
    pub(super) fn members(&self) -> Vec<Fields<'a>> {
        let Source::Json { value, .. } = &self.source else { return Vec::new() };
        let names = value.as_object().into_iter().flat_map(|object| object.keys());
        names.filter_map(|name| self.child(name)).collect()
    }

    /// The first text of the list under a name.
    pub(super) fn first_text(&self, name: &str) -> Option<Text> {
        let Source::Json { value, .. } = &self.source else { return None };
        value.get(name)?.as_array()?.first()?.as_str().map(Text::from)
    }

    /// Every name with its plain value, in the order of the file.
    pub(super) fn entries(&self) -> Vec<(String, Text)> {
        let names: Vec<String> = match &self.source {
            Source::Json { value, .. } => {
                value.as_object().map(|o| o.keys().cloned().collect()).unwrap_or_default()
            }
            Source::Row { header, .. } => header.to_vec(),
        };
        names.into_iter().filter_map(|name| self.text(&name).map(|text| (name, text))).collect()
    }

    /// Where a value stands, for a message.
    pub(super) fn place(&self, name: &str) -> String {
        match &self.source {
            Source::Json { place, .. } => format!("{place}{name}"),
            Source::Row { line, .. } => format!("line {line}, column {name}"),
        }
    }

    /// The error for a value that is not what it should be.
    pub(super) fn refuse(&self, name: &str, found: &str, expected: &str) -> ReadError {
        let (found, expected) = (found.to_owned(), expected.to_owned());
        match &self.source {
            Source::Json { place, .. } => {
                ReadError::Field { place: format!("{place}{name}"), found, expected }
            }
            Source::Row { line, .. } => {
                ReadError::Cell { line: *line, column: name.to_owned(), found, expected }
            }
        }
    }
}

/// A real number as the count it is.
pub(super) fn whole(number: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    let count = number as u64;
    (number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number)).then_some(count)
}
