//! A gunicorn that loads the app before it forks answers with the old code after a reload, from the new
//! release's directory: nothing in `/proc` tells that. So what says so is looked for beforehand.

use release_core::command::Secret;
use release_core::config::Service;
use release_core::host::HostResult;
use release_core::server::Server;
use release_core::step::{Context, StepError};

/// Where gunicorn looks for options besides its command.
const VARIABLE: &str = "GUNICORN_CMD_ARGS";
const USUAL_FILE: &str = "gunicorn.conf.py";

/// Refuses a release whose master would keep the old code.
pub(super) fn refuse(cx: &Context<'_>) -> Result<(), StepError> {
    for (service, _) in cx.run.config.reloading() {
        if let Some((place, cure)) = preloading(cx, service)? {
            return Err(StepError::Refused {
                what: format!(
                    "services.{}: what its master has preloaded stays the old code, and {place} preloads",
                    service.name
                ),
                help: format!("{cure}, or use `handover: socket`"),
            });
        }
    }
    Ok(())
}

/// What makes the gunicorn of `service` preload, and what to do about it.
fn preloading(cx: &Context<'_>, service: &Service) -> HostResult<Option<(String, String)>> {
    let words = shell_words::split(&service.command).unwrap_or_default();
    if Server::of(&words) != Server::Gunicorn {
        return Ok(None);
    }
    let everywhere = cx.run.env.get(VARIABLE).map(Secret::reveal);
    let arguments = service.env.get(VARIABLE).map(String::as_str).or(everywhere);
    if arguments.is_some_and(|arguments| arguments.contains("--preload")) {
        return Ok(Some((VARIABLE.to_owned(), format!("take `--preload` out of {VARIABLE}"))));
    }
    let file = own_file(&words).unwrap_or(USUAL_FILE);
    let text = cx.host.read(&cx.run.layout.app(cx.run.release(), &cx.run.config).join(file))?;
    let preloads = String::from_utf8_lossy(&text.unwrap_or_default()).lines().any(says_preload);
    Ok(preloads.then(|| (file.to_owned(), format!("say `preload_app = False` in {file}"))))
}

/// The file that a command names by `-c` or `--config`.
fn own_file(words: &[String]) -> Option<&str> {
    let after = |option: &str| words.iter().skip_while(|word| *word != option).nth(1).map(String::as_str);
    let named = words.iter().find_map(|word| word.strip_prefix("--config="));
    let file = named.or_else(|| after("-c")).or_else(|| after("--config"))?;
    Some(file.strip_prefix("file:").unwrap_or(file))
}

fn says_preload(line: &str) -> bool {
    let value = line.trim_start().strip_prefix("preload_app").map(str::trim_start);
    let value = value.and_then(|rest| rest.strip_prefix('=')).map(str::trim_start);
    value.is_some_and(|value| !value.starts_with("False") && !value.starts_with('='))
}
