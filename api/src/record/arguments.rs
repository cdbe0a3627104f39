//! The arguments that a computed record's list was asked with.

use async_graphql_value::ConstValue;

use crate::error::{Error, Result};

/// The arguments of a field.
#[derive(Clone, Copy)]
pub struct Arguments<'a>(pub &'a [(String, ConstValue)]);

impl<'a> Arguments<'a> {
    /// Null is as good as absent.
    pub fn get(&self, name: &str) -> Option<&'a ConstValue> {
        let given = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        given.filter(|value| !matches!(value, ConstValue::Null))
    }

    /// An argument as `read` understands it; what it refuses is refused by the argument's name.
    pub fn read<T>(
        &self,
        name: &'static str,
        read: impl Fn(&'a ConstValue) -> Result<T>,
    ) -> Result<Option<T>> {
        self.get(name).map(read).transpose().map_err(|error| error.at(name))
    }

    /// An argument that the schema asks for.
    pub fn required<T>(
        &self,
        name: &'static str,
        read: impl Fn(&'a ConstValue) -> Result<T>,
    ) -> Result<T> {
        let given = self.read(name, read)?;
        given.ok_or_else(|| Error::internal(format!("validation passed without {name}")))
    }
}
