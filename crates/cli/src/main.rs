//! The `release` command: arguments in, an exit code out.

mod app_file;
mod args;
mod commands;
mod error;
mod output;
mod own_path;
mod recovery;
mod road;
mod site;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let screen = output::Screen::new(args.json);
    match commands::run(args, &screen) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            screen.error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
