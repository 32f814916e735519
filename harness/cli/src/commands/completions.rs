//! `freeweights completions SHELL`.

use crate::exit::Exit;
use crate::print;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Write a completion script for a shell to standard output.
#[derive(Args)]
#[command(
    after_help = "Example:\n  freeweights completions bash > ~/.local/share/bash-completion/completions/freeweights"
)]
pub struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

pub fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut crate::Arguments::command(),
        "freeweights",
        &mut script,
    );
    print::data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Good)
}
