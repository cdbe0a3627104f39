//! The identity providers that a tenant trusts: through them its people sign in with the account
//! that they have at work. Which they are is the tenant's data; their client secrets lie sealed.
//!
//! Whoever names a provider decides who everybody is: so nobody does who may not do everything.
//!
//! Not here: the way of a sign-in through a provider ([`crate::identity::single_sign_on`]).

mod checks;
pub mod graphql;
pub mod service;
mod store;

use entity::identity_provider;

use crate::vault::Place;

/// Where a provider's client secret lies.
pub(crate) fn place_of(provider: &identity_provider::Model) -> Place {
    Place {
        tenant_id: provider.tenant_id,
        table: "identity_providers",
        column: "client_secret",
        row: provider.id,
    }
}
