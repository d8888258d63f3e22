//! What the tests of proxies stand on.

mod ask;
mod proxy;
mod site;

pub(crate) use ask::{Reply, curl, websocket};
pub(crate) use proxy::Proxy;
pub(crate) use site::Site;
