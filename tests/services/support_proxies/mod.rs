//! What the tests of proxies stand on.

mod ask;
mod proxy;
mod site;

pub(crate) use ask::{Reply, curl, websocket};
pub(crate) use proxy::Proxy;
pub(crate) use site::Site;

/// Whether the long runs are wanted, too.
pub(crate) fn all() -> bool {
    std::env::var_os("RELEASE_TEST_ALL").is_some()
}
