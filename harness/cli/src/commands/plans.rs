//! `freeweights plans`: the named suites that `bench --plan` knows.

use crate::exit::Exit;
use crate::print;
use crate::suite::embedded;
use clap::Args;
use std::fmt::Write as _;

/// Known plans for `bench --plan`: what each is for, or its text to change.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  freeweights plans\n  freeweights plans quick > mine.toml\n  freeweights bench --plan quick\n  freeweights bench model.gguf --plan mine.toml"
)]
pub struct PlansArgs {
    /// Write the text of this plan.
    #[arg(value_name = "PLAN")]
    name: Option<String>,
}

pub fn run(args: &PlansArgs) -> anyhow::Result<Exit> {
    let mut text = String::new();
    match &args.name {
        Some(name) => match embedded::texts().find(|(known, _)| known == name) {
            Some((_, plan)) => text.push_str(plan),
            None => anyhow::bail!(
                "no plan is called {name:?}; known are {}",
                embedded::names().join(", ")
            ),
        },
        None => {
            for name in embedded::names() {
                let about = embedded::find(name)?.about.unwrap_or_default();
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{name:<10} {about}");
            }
        }
    }
    print::data(&text)?;
    Ok(Exit::Good)
}
