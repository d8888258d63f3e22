//! `release pin` and `unpin`: releases that stay, however old they get.

use release_core::exit_code;
use release_core::host::Files;
use release_core::release::ReleaseId;

use crate::error::Error;
use crate::output::Screen;
use crate::site::Site;

/// Pins a release, or the active one.
pub(crate) fn pin(site: &Site, screen: &Screen, id: Option<ReleaseId>) -> Result<u8, Error> {
    let id = match id {
        Some(id) => id,
        None => site.current()?.ok_or_else(|| unknown("nothing is live yet".to_owned()))?,
    };
    if !site.exists(&id) {
        return Err(unknown(format!("there is no release {id} on the disk")));
    }
    site.host.write(&site.layout.pins().join(id.as_str()), b"", 0o644)?;
    screen.say(&format!("{id} stays until `release unpin {id}`"));
    Ok(exit_code::DONE)
}

/// Takes a pin away.
pub(crate) fn unpin(site: &Site, screen: &Screen, id: &ReleaseId) -> Result<u8, Error> {
    let pin = site.layout.pins().join(id.as_str());
    if site.host.kind(&pin)?.is_none() {
        screen.say(&format!("{id} is not pinned"));
        return Ok(exit_code::DONE);
    }
    site.host.remove(&pin)?;
    screen.say(&format!("{id} goes when its time comes; `release prune --dry-run` says what would go now"));
    Ok(exit_code::DONE)
}

fn unknown(what: String) -> Error {
    Error::Usage { what, help: "`release list` names the releases".to_owned() }
}
