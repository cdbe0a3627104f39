//! Explanations: why somebody may or may not do something. Of oneself everybody may ask; of others
//! who may see them. What the asker may not see is not given away: such a row is as good as none.

pub mod graphql;
mod service;
mod store;
