//! Operations that a tenant has registered, and keys that may run nothing else: a key that lives in
//! a page or a device is worth no more than what that page or device is made to ask.
//!
//! An operation is its text: another space is another operation. Registering, listing and removing
//! need the right to the tenant's API keys.

pub mod service;
mod store;
