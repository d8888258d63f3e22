//! The program on one screen: the steps of a deploy and of a rollback, in order.
