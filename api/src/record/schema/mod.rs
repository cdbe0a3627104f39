//! Declarations -> GraphQL types. They are async-graphql's own registry entries, so introspection,
//! validation, complexity and the SDL are complete; only their resolution is ours.

mod build;
mod inputs;
mod mutations;
mod outputs;
mod scalars;

pub use build::{enum_type, field, input_object, input_value, object};
pub use inputs::{register_inputs, register_list_inputs};
pub use mutations::{mutation_fields, register_mutations};
pub use outputs::{register_outputs, register_summary, root_fields};
pub use scalars::register_shared;

use async_graphql::registry::Registry;

use super::declare::Record;

/// Registers every type that a record brings: itself, its connection, filter, order, aggregates.
pub fn register(registry: &mut Registry, record: &Record) {
    if registry.types.contains_key(record.name) {
        return;
    }
    register_outputs(registry, record);
    if record.listed {
        register_list_inputs(registry, record);
    }
    if let Some(summary) = record.summary {
        register_summary(registry, summary());
    }
    if !record.is_virtual() {
        register_inputs(registry, record);
        register_mutations(registry, record);
    }
    for of in record.enum_types() {
        registry.types.entry(of.name.to_owned()).or_insert_with(|| enum_type(of));
    }
    for relation in &record.relations {
        register(registry, (relation.target)());
    }
}
