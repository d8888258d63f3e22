//! Whether websockets reach an app that has some.

use std::path::PathBuf;

use release_core::config::{Config, Service};
use release_core::host::Host;
use release_core::layout::Layout;
use release_core::server::Server;

use super::Problem;
use super::nginx::Statement;

/// A websocket needs its upgrade passed on. That the app has any can be known where the module that its
/// server loads says so.
pub(super) fn problem(
    host: &dyn Host,
    layout: &Layout,
    config: &Config,
    statements: &[Statement],
) -> Option<Problem> {
    let upgrades = |statement: &Statement| {
        let words = statement.words();
        words.first() == Some(&"proxy_set_header")
            && words.get(1).is_some_and(|name| name.eq_ignore_ascii_case("upgrade"))
    };
    let asks = statements
        .iter()
        .any(|statement| statement.words().first() == Some(&"proxy_pass") || statement.in_upstream);
    if !asks || statements.iter().any(upgrades) {
        return None;
    }
    let module = config.listening().find_map(|service| websocket_module(host, layout, config, service))?;
    let what = format!("{} has websockets, and the proxy does not pass their upgrade on", module.display());
    let help = "say `proxy_http_version 1.1;`, `proxy_set_header Upgrade $http_upgrade;` and a `Connection` that fits, as \
                `release generate nginx` has them";
    Some(Problem::new(what, help))
}

/// The module of an ASGI app, if it speaks of websockets.
fn websocket_module(host: &dyn Host, layout: &Layout, config: &Config, service: &Service) -> Option<PathBuf> {
    let words: Vec<&str> = service.command.split_whitespace().collect();
    if matches!(Server::of(&words), Server::Other | Server::Uwsgi) {
        return None;
    }
    let modules =
        words.iter().filter_map(|word| word.split_once(':')).map(|(module, _)| module.replace('.', "/"));
    let paths = modules.map(|module| layout.current_app(config).join(format!("{module}.py")));
    paths.into_iter().find(|path| {
        let text = host.read(path).ok().flatten().unwrap_or_default();
        String::from_utf8_lossy(&text).contains("websocket")
    })
}
