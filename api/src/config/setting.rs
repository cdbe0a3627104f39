//! What a setting is, and the macro with which a section declares its settings once: the struct,
//! the flags, the variables, the example file and the documentation all come from that declaration.

/// One setting, as data.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The key in the file; the flag is the same with dashes, the variable is `PULSO_` + capitals.
    pub key: &'static str,
    /// The title of the section it stands in.
    pub section: &'static str,
    /// What it does, one line per element.
    pub help: &'static [&'static str],
    /// Further variables that are read when `PULSO_…` is absent.
    pub also: &'static [&'static str],
    /// A secret can also be given as a file: `…-file`, `…_FILE`, `…_file`.
    pub secret: bool,
    /// What stands in for a default that depends on the situation.
    pub default_note: &'static str,
    /// What the example file shows when there is no default.
    pub example: &'static str,
    /// Whether every command takes the flag, and not only `serve`.
    pub every_command: bool,
    /// What kind of value it takes.
    pub shape: Shape,
    /// The default as it would be written in the file; `None` where there is none.
    pub default: fn() -> Option<String>,
}

/// What a value looks like in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Text,
    Number,
    Flag,
    /// A list of texts; on the command line and in variables separated by commas.
    List,
}

impl Setting {
    pub(super) const PLAIN: Self = Self {
        key: "",
        section: "",
        help: &[],
        also: &[],
        secret: false,
        default_note: "",
        example: "",
        every_command: false,
        shape: Shape::Text,
        default: || None,
    };

    /// `--database-url` without the dashes in front.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// The variables that are read, strongest first.
    pub fn variables(&self) -> Vec<String> {
        let own = format!("PULSO_{}", self.key.to_ascii_uppercase());
        std::iter::once(own).chain(self.also.iter().map(|&name| name.to_owned())).collect()
    }
}

/// Declares a section: `"key" field: Type = default, { option: value, … };` with the help as its
/// doc comment.
macro_rules! settings {
    (
        $(#[doc = $about:literal])+
        $section:ident, $title:literal;
        $(
            $(#[doc = $help:literal])+
            $key:literal $name:ident: $kind:ty = $default:expr $(, { $($option:ident: $value:expr),+ })?;
        )+
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        pub struct $section {
            $( $(#[doc = $help])+ pub $name: $kind, )+
        }

        impl $section {
            pub(super) const SETTINGS: &'static [$crate::config::setting::Setting] = &[
                $($crate::config::setting::Setting {
                    key: $key,
                    section: $title,
                    help: &[$($help),+],
                    shape: <$kind as $crate::config::value::Value>::SHAPE,
                    default: || {
                        let value: $kind = $default;
                        $crate::config::value::Value::to_toml(&value)
                    },
                    $($($option: $value,)+)?
                    ..$crate::config::setting::Setting::PLAIN
                },)+
            ];

            pub(super) fn read(values: &mut $crate::config::sources::Values<'_>) -> Self {
                Self { $($name: values.take($key, $default),)+ }
            }

            /// Every value as it may be shown: secrets are redacted.
            pub(super) fn shown(&self, into: &mut Vec<(&'static str, String)>) {
                $(into.push(($key, $crate::config::value::Value::shown(&self.$name)));)+
            }
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }
    };
}

pub(super) use settings;
