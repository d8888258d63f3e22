//! The reloads of uWSGI that leave its master as it is: its new workers stay where that was started, in an old release.

use super::Server;

/// Options that name a file; a touch of it starts workers anew.
const TOUCHED: [&str; 2] = ["touch-chain-reload", "touch-workers-reload"];

/// What a `--master-fifo` takes for such an order: chain, re-fork, workers.
const ORDERS: [&str; 4] = ["c", "f", "w", "W"];

/// Whether the command `reload` has the server that `words` start begin no more than new workers.
pub fn starts_workers_alone<T: AsRef<str>>(words: &[T], reload: &str) -> bool {
    let options = words.iter().map(AsRef::as_ref).zip(words.iter().skip(1).map(AsRef::as_ref));
    let apart = options.filter(|(word, _)| TOUCHED.contains(&word.trim_start_matches('-')));
    let joined = words.iter().filter_map(|word| touched(word.as_ref()));
    let mut files = apart.map(|(_, file)| file).chain(joined);
    Server::of(words) == Server::Uwsgi && (orders(reload) || files.any(|file| names(reload, file)))
}

/// Whether it does because of a line in `text`, a configuration file of that server.
pub fn file_starts_workers_alone(text: &str, reload: &str) -> bool {
    text.lines().filter_map(touched).any(|file| names(reload, file))
}

/// The file in `--touch-chain-reload=FILE`, or in a line of a configuration file that says so.
fn touched(line: &str) -> Option<&str> {
    let line = line.trim().trim_start_matches('-');
    let value = TOUCHED.iter().find_map(|option| line.strip_prefix(option))?;
    value.trim_start().strip_prefix(['=', ':']).map(str::trim)
}

/// Whether `command` names `file`. How the way to it is written may differ.
fn names(command: &str, file: &str) -> bool {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    pieces(command).any(|piece| name(piece) == name(file))
}

fn orders(command: &str) -> bool {
    let mut rest = pieces(command).skip_while(|piece| !["echo", "printf"].contains(piece)).skip(1);
    rest.find(|piece| !piece.starts_with('-')).is_some_and(|order| ORDERS.contains(&order))
}

/// The words of a command, also of one that a shell is given.
fn pieces(command: &str) -> impl Iterator<Item = &str> {
    let parts = command.split(|c: char| c.is_whitespace() || "'\";&|<>".contains(c));
    parts.filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_touch_or_an_order_that_leaves_the_master_alone_is_known() {
        let alone = |command: &str, reload: &str| {
            starts_workers_alone(&command.split(' ').collect::<Vec<_>>(), reload)
        };
        let both = "uwsgi --touch-reload /srv/a/all --touch-chain-reload /srv/a/chain app.ini";
        assert!(alone(both, "touch $RELEASE_ROOT/chain"));
        assert!(alone("uwsgi --touch-workers-reload=x/y", "sh -c 'touch x/y; true'"));
        assert!(!alone(both, "touch $RELEASE_ROOT/all"));
        assert!(!alone("gunicorn app --touch-chain-reload x", "touch x"));
        assert!(!alone("uwsgi --touch-chain-reload", "touch x"));
        for order in ["echo c > $SOCKET.fifo", "sh -c 'echo -n f >$SOCKET.fifo'", "sh -c \"printf w>x\""] {
            assert!(alone("uwsgi --master-fifo $SOCKET.fifo", order), "{order}");
        }
        assert!(!alone("uwsgi --master-fifo $SOCKET.fifo", "sh -c 'echo r > $SOCKET.fifo'"));
    }

    #[test]
    fn a_configuration_file_may_say_it_too() {
        let alone = |text: &str| file_starts_workers_alone(text, "touch $RELEASE_ROOT/shared/reload");
        assert!(alone("[uwsgi]\nmodule = app\n touch-chain-reload = $(RELEASE_ROOT)/shared/reload\n"));
        assert!(alone("uwsgi:\n  touch-workers-reload: /srv/a/shared/reload\n"));
        assert!(!alone("touch-reload = shared/reload\n;touch-chain-reload = shared/reload\n"));
        assert!(!alone("touch-chain-reload = shared/other\n"));
    }
}
