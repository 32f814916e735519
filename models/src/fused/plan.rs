//! What one pass through the model has to do: which tokens, and how attention is shared out.
//!
//! Not here: the arithmetic.

use std::ops::Range;

/// One token of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) token: u32,
    pub(super) sequence: usize,
    pub(super) position: usize,
    /// Whether its sequence is long enough for rotary positions of their own.
    pub(super) long: bool,
}

/// A piece of attention that one thread does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttentionTask {
    pub(super) kv_head: usize,
    /// Rows of the pass: neighbouring tokens of one sequence.
    pub(super) rows: Range<usize>,
    /// If several threads share the one row: the keys of this task, and the place of its part.
    pub(super) part: Option<(Range<usize>, usize)>,
}

/// A row whose attention was done in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Merge {
    pub(super) row: usize,
    pub(super) kv_head: usize,
    pub(super) parts: Range<usize>,
}

/// How attention is shared out in the layers of one kind.
#[derive(Debug, Default)]
pub(super) struct Attending {
    pub(super) tasks: Vec<AttentionTask>,
    pub(super) merges: Vec<Merge>,
    /// Parts of all tasks together.
    pub(super) parts: usize,
}

/// One pass.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) rows: Vec<Row>,
    /// In layers whose tokens see all that came before.
    pub(super) whole: Attending,
    /// In layers with a window.
    pub(super) windowed: Attending,
    /// Rows whose residual stream is kept for the output head, and where.
    pub(super) keep: Vec<(usize, usize)>,
    /// How many kept rows the output head runs over at the end; 0 if it does not run.
    pub(super) heads: usize,
    /// Whether experts are dealt out in turn and not chosen: two runs that are compared with each
    /// other must not differ by a choice that hung on a rounding.
    pub(super) dealt: bool,
}

/// Rows of a prompt that are one task of attention.
const QUERY_ROWS: usize = 32;

/// Fewest keys that are worth a task of their own.
const FEWEST_KEYS: usize = 64;

impl Plan {
    /// An empty plan; memory is kept.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.whole.clear();
        self.windowed.clear();
        self.keep.clear();
        self.heads = 0;
    }

    /// Shares out the attention of the rows, largest tasks first.
    pub(super) fn share_attention(
        &mut self,
        kv_heads: usize,
        threads: usize,
        window: Option<usize>,
    ) {
        self.whole.share(&self.rows, kv_heads, threads, usize::MAX);
        if let Some(window) = window {
            self.windowed.share(&self.rows, kv_heads, threads, window);
        }
    }

    /// Parts of split attention, of either kind of layer.
    pub(super) fn parts(&self) -> usize {
        self.whole.parts.max(self.windowed.parts)
    }
}

impl Attending {
    fn clear(&mut self) {
        self.tasks.clear();
        self.merges.clear();
        self.parts = 0;
    }

    fn share(&mut self, rows: &[Row], kv_heads: usize, threads: usize, window: usize) {
        let mut first = 0;
        let single = rows.chunk_by(|a, b| a.sequence == b.sequence).filter(|s| s.len() == 1);
        let tasks = single.count() * kv_heads;
        while first < rows.len() {
            let sequence = rows[first].sequence;
            let length = rows[first..].iter().take_while(|row| row.sequence == sequence).count();
            if length == 1 {
                let end = rows[first].position + 1;
                let seen = end.saturating_sub(window)..end;
                let parts = parts(tasks, threads, seen.len());
                self.step_tasks(first, kv_heads, seen, parts);
            } else {
                self.prompt_tasks(first..first + length, kv_heads);
            }
            first += length;
        }
        let keys = |task: &AttentionTask| match &task.part {
            Some((keys, _)) => keys.len(),
            None => (rows[task.rows.end - 1].position + 1).min(window) * task.rows.len(),
        };
        // Sorting in place: nothing may be allocated in a loop over tokens.
        self.tasks.sort_unstable_by_key(|task| std::cmp::Reverse(keys(task)));
    }

    fn step_tasks(&mut self, row: usize, kv_heads: usize, seen: Range<usize>, parts: usize) {
        for kv_head in 0..kv_heads {
            if parts == 1 {
                self.tasks.push(AttentionTask { kv_head, rows: row..row + 1, part: None });
                continue;
            }
            self.merges.push(Merge { row, kv_head, parts: self.parts..self.parts + parts });
            for part in 0..parts {
                let from = seen.start + seen.len() * part / parts;
                let to = seen.start + seen.len() * (part + 1) / parts;
                let part = Some((from..to, self.parts));
                self.tasks.push(AttentionTask { kv_head, rows: row..row + 1, part });
                self.parts += 1;
            }
        }
    }

    fn prompt_tasks(&mut self, rows: Range<usize>, kv_heads: usize) {
        for start in rows.clone().step_by(QUERY_ROWS) {
            let rows = start..rows.end.min(start + QUERY_ROWS);
            for kv_head in 0..kv_heads {
                self.tasks.push(AttentionTask { kv_head, rows: rows.clone(), part: None });
            }
        }
    }
}

/// Into how many parts the keys of a row are split, if `tasks` rows and heads are shared by threads.
fn parts(tasks: usize, threads: usize, keys: usize) -> usize {
    let even = tasks.is_multiple_of(threads) || tasks >= 8 * threads;
    // Eight tasks a thread are even enough.
    let enough = (8 * threads).div_ceil(tasks.max(1));
    if even { 1 } else { enough.min(threads).min(keys / FEWEST_KEYS).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rows: &[(usize, usize)], kv_heads: usize, threads: usize) -> Attending {
        let row = |&(sequence, position): &(usize, usize)| Row {
            token: 0,
            sequence,
            position,
            long: false,
        };
        let mut plan = Plan { rows: rows.iter().map(row).collect(), ..Plan::default() };
        plan.share_attention(kv_heads, threads, None);
        plan.whole
    }

    #[test]
    fn three_heads_on_two_threads_are_six_halves() {
        let plan = plan(&[(0, 511)], 3, 2);
        assert_eq!((plan.tasks.len(), plan.parts), (6, 6));
        assert_eq!(plan.merges[1], Merge { row: 0, kv_head: 1, parts: 2..4 });
        let (keys, _) = plan.tasks[0].part.clone().unwrap();
        assert_eq!(keys.len(), 256);
    }

    #[test]
    fn what_divides_evenly_or_is_short_is_not_split() {
        assert_eq!(plan(&[(0, 511), (1, 300)], 3, 2).parts, 0);
        assert_eq!(plan(&[(0, 100)], 3, 2).parts, 0);
        assert_eq!(plan(&[(0, 511)], 4, 2).parts, 0);
    }

    #[test]
    fn prompts_are_cut_into_blocks_of_rows_and_the_longest_come_first() {
        let rows: Vec<(usize, usize)> =
            (0..70).map(|position| (0, position)).chain([(1, 5), (1, 6)]).collect();
        let plan = plan(&rows, 1, 2);
        let blocks: Vec<Range<usize>> = plan.tasks.iter().map(|task| task.rows.clone()).collect();
        assert_eq!(blocks, [32..64, 0..32, 64..70, 70..72]);
    }

    #[test]
    fn behind_a_window_only_what_it_shows_is_shared_out() {
        let row = Row { token: 0, sequence: 0, position: 999, long: false };
        let mut plan = Plan { rows: vec![row], ..Plan::default() };
        plan.share_attention(1, 2, Some(200));
        let keys: Vec<Range<usize>> =
            plan.windowed.tasks.iter().map(|task| task.part.clone().unwrap().0).collect();
        assert_eq!(keys, [800..900, 900..1000]);
        let keys: usize = plan.whole.tasks.iter().map(|t| t.part.clone().unwrap().0.len()).sum();
        assert_eq!((keys, plan.parts()), (1000, 2));
    }
}
