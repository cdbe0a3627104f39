//! The kinds of value that a setting can have: how each is read from text and written in the file.

use super::setting::Shape;

/// A value of a setting. `from_text` says what would have been right.
pub(super) trait Value: Sized {
    const SHAPE: Shape;

    fn from_text(text: &str) -> Result<Self, String>;

    /// As it is written in the file, or `None` for "not set".
    fn to_toml(&self) -> Option<String>;

    /// As it may be shown to an operator.
    fn shown(&self) -> String {
        self.to_toml().unwrap_or_else(|| "(not set)".to_owned())
    }
}

/// A TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

macro_rules! number {
    ($($kind:ty),+) => {
        $(impl Value for $kind {
            const SHAPE: Shape = Shape::Number;

            fn from_text(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_not_a_number| {
                    format!("\"{text}\" is not a number from {} to {}", <$kind>::MIN, <$kind>::MAX)
                })
            }

            fn to_toml(&self) -> Option<String> {
                Some(self.to_string())
            }
        })+
    };
}

number!(u16, u32, u64);

impl Value for bool {
    const SHAPE: Shape = Shape::Flag;

    fn from_text(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("\"{text}\" is neither true nor false")),
        }
    }

    fn to_toml(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for String {
    const SHAPE: Shape = Shape::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.trim().to_owned())
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl<T: Value> Value for Option<T> {
    const SHAPE: Shape = T::SHAPE;

    fn from_text(text: &str) -> Result<Self, String> {
        T::from_text(text).map(Some)
    }

    fn to_toml(&self) -> Option<String> {
        self.as_ref().and_then(Value::to_toml)
    }

    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "(not set)".to_owned(), Value::shown)
    }
}

impl<T: Value> Value for Vec<T> {
    const SHAPE: Shape = Shape::List;

    fn from_text(text: &str) -> Result<Self, String> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(T::from_text).collect()
    }

    fn to_toml(&self) -> Option<String> {
        let parts: Vec<String> = self.iter().filter_map(Value::to_toml).collect();
        Some(format!("[{}]", parts.join(", ")))
    }
}

/// A closed choice of words.
macro_rules! choice {
    ($(#[$about:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$note])* $variant,)+ }

        impl $crate::config::value::Value for $name {
            const SHAPE: $crate::config::setting::Shape = $crate::config::setting::Shape::Text;

            fn from_text(text: &str) -> Result<Self, String> {
                match text.trim() {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!(
                        "\"{other}\" is none of: {}", [$($word),+].join(", ")
                    )),
                }
            }

            fn to_toml(&self) -> Option<String> {
                Some($crate::config::value::quoted(match self { $(Self::$variant => $word,)+ }))
            }
        }
    };
}

pub(super) use choice;
