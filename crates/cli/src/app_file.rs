//! The app's own `release.yml`, in the directory that the server's names.

use std::path::Path;

use release_core::config::{Source, directory_of};
use release_core::host::{Git, HostResult};
use release_core::revision::Revision;

use crate::error::Error;

const NAME: &str = "release.yml";

/// The file, as it is called and as it reads; there may be none.
pub(crate) struct AppFile {
    pub(crate) name: String,
    pub(crate) text: Option<String>,
}

/// Reads it from `revision`. A directory that is not there is an error.
pub(crate) fn read(
    git: &dyn Git,
    repository: &Path,
    revision: &Revision,
    server: Option<Source<'_>>,
) -> Result<AppFile, Error> {
    let directory = server.map(directory_of).filter(|directory| directory != ".");
    let path = match &directory {
        Some(directory) => format!("{directory}/{NAME}"),
        None => NAME.to_owned(),
    };
    let text = git.file(repository, revision, &path)?;
    if let Some(directory) = directory
        && text.is_none()
        && git.names(repository, revision, &directory)?.is_empty()
    {
        return Err(no_directory(git, repository, revision, &directory)?);
    }
    let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(AppFile { name: format!("{path} of {}", revision.short()), text })
}

/// Why there is nothing to deploy by.
pub(crate) fn missing(name: &str) -> Error {
    Error::Usage {
        what: format!("there is no {name}"),
        help: "write one where the app is, with `release init`, commit it and push".to_owned(),
    }
}

fn no_directory(git: &dyn Git, repository: &Path, revision: &Revision, directory: &str) -> HostResult<Error> {
    let found = projects(git, repository, revision)?;
    Ok(Error::Usage {
        what: format!("the directory {directory} is not in {}", revision.short()),
        help: match found.as_slice() {
            [] => "look for the app with `git ls-files '*manage.py'`, and name its directory in the server's release.yml".to_owned(),
            found => format!("a manage.py lies in {}: `directory: {}`", found.join(", "), found[0]),
        },
    })
}

/// How deep a project may lie to be named: a look, not a search.
const DEEPEST: usize = 3;

/// The directories below the top that hold a `manage.py`.
fn projects(git: &dyn Git, repository: &Path, revision: &Revision) -> HostResult<Vec<String>> {
    let mut found = Vec::new();
    let mut todo = vec![(String::new(), 0)];
    while let Some((directory, depth)) = todo.pop() {
        let names = git.names(repository, revision, &directory)?;
        if !directory.is_empty() && names.iter().any(|name| name == "manage.py") {
            found.push(directory);
        } else if depth < DEEPEST {
            let inner = names.iter().filter(|name| !name.starts_with('.'));
            let inner = inner.map(|name| format!("{directory}/{name}").trim_start_matches('/').to_owned());
            todo.extend(inner.map(|path| (path, depth + 1)));
        }
    }
    found.sort();
    Ok(found)
}
