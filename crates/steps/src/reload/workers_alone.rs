//! A uWSGI may say in its own configuration file that a touch starts its workers anew, and not its master.

use release_core::config::{Reload, Service};
use release_core::host::HostResult;
use release_core::server::{configured_by, file_starts_workers_alone};
use release_core::step::{Context, StepError};

/// Refuses a release whose reload leaves the master, and so its new workers, in the old one.
pub(super) fn refuse(cx: &Context<'_>) -> Result<(), StepError> {
    for (service, how) in cx.run.config.reloading() {
        if let Some(file) = saying(cx, service, how)? {
            return Err(StepError::Refused {
                what: format!(
                    "services.{}: by what {file} says, its reload starts new workers where their master was \
                     started, in the old release",
                    service.name
                ),
                help: format!(
                    "say `touch-reload` in {file}: nobody uses that master meanwhile; or use `handover: socket`"
                ),
            });
        }
    }
    Ok(())
}

/// The file that says so.
fn saying(cx: &Context<'_>, service: &Service, how: &Reload) -> HostResult<Option<String>> {
    let Reload::Command(command) = how else { return Ok(None) };
    let app = cx.run.layout.app(cx.run.release(), &cx.run.config);
    for file in configured_by(&service.words()) {
        let text = cx.host.read(&app.join(file))?.unwrap_or_default();
        if file_starts_workers_alone(&String::from_utf8_lossy(&text), command) {
            return Ok(Some(file.to_owned()));
        }
    }
    Ok(None)
}
