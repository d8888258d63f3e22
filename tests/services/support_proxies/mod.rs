//! What the tests of proxies stand on.

mod ask;
mod proxy;
mod site;

pub(crate) use ask::{Reply, assert_told, curl, websocket};
pub(crate) use proxy::Proxy;
pub(crate) use site::Site;

/// The proxies to try.
pub(crate) fn proxies() -> &'static [Proxy] {
    if all() { &Proxy::ALL } else { &[Proxy::Nginx] }
}

/// Whether the long runs are wanted, too.
pub(crate) fn all() -> bool {
    std::env::var_os("RELEASE_TEST_ALL").is_some()
}
