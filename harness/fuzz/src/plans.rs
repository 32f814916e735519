//! Plans of runs. Their reader is compiled from the program's own files: it is no library.

#![expect(dead_code, reason = "the files have more than the parsers")]

use crate::{bounded, text};

#[path = "../../cli/src/suite/plan.rs"]
mod reader;

/// In place of the plans that come with the program, whose names an error lists.
mod embedded {
    pub fn names() -> Vec<&'static str> {
        Vec::new()
    }
}

/// A plan, and the lists in it.
pub fn plan(data: &[u8]) {
    bounded(data, || {
        let Some(Ok(plan)) = text(data).map(|text| reader::Plan::parse(text, "fuzz")) else {
            return;
        };
        let shapes = plan.grid.iter().flatten().chain([&plan.shapes]);
        for shape in shapes {
            for list in [&shape.isl, &shape.osl, &shape.depth, &shape.batch].into_iter().flatten() {
                let _ = crate::lists::positive_counts(&list.0);
                let _ = crate::lists::batches(&list.0);
            }
        }
    });
}
