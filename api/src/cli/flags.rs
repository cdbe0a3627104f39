//! The settings as flags, read off their declarations. `serve` takes all of them, other commands
//! those that concern them; the variables and the file hold for all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::{Setting, Shape, Sources, settings};

/// Flags of `serve`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServeFlags(Given);

/// Flags of every other command that opens the database.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommandFlags(Given);

#[derive(Debug, Clone, Default)]
struct Given {
    flags: BTreeMap<String, String>,
    file: Option<PathBuf>,
}

impl ServeFlags {
    pub(crate) fn into_sources(self) -> Sources {
        Sources::of_process(self.0.flags, self.0.file)
    }
}

impl CommandFlags {
    pub(crate) fn into_sources(self) -> Sources {
        Sources::of_process(self.0.flags, self.0.file)
    }
}

/// One flag; clap keeps texts for as long as the process lives.
struct Flag {
    id: String,
    long: String,
    help: String,
    setting: Setting,
    names_file: bool,
}

static FLAGS: LazyLock<Vec<Flag>> = LazyLock::new(|| {
    let mut flags = Vec::new();
    for setting in settings() {
        flags.push(Flag {
            id: setting.key.to_owned(),
            long: setting.flag(),
            help: help(&setting),
            setting,
            names_file: false,
        });
        if setting.secret {
            flags.push(Flag {
                id: format!("{}_file", setting.key),
                long: format!("{}-file", setting.flag()),
                help: format!("File that holds --{}", setting.flag()),
                setting,
                names_file: true,
            });
        }
    }
    flags
});

fn help(setting: &Setting) -> String {
    let lines: Vec<&str> = setting.help.iter().map(|line| line.trim()).collect();
    let mut text = lines.join(" ");
    text.push_str(&format!(" [env: {}]", setting.variables().join(", ")));
    let default = match (setting.default)() {
        Some(default) => Some(default),
        None if setting.default_note.is_empty() => None,
        None => Some(setting.default_note.to_owned()),
    };
    if let Some(default) = default {
        text.push_str(&format!(" [default: {default}]"));
    }
    text
}

fn argument(flag: &'static Flag) -> Arg {
    let arg = Arg::new(flag.id.as_str())
        .long(flag.long.as_str())
        .help(flag.help.as_str())
        .help_heading(flag.setting.section)
        .value_parser(ValueParser::string())
        .action(ArgAction::Set);
    if flag.names_file {
        return arg.value_name("FILE");
    }
    match flag.setting.shape {
        // `--migrate` alone means true.
        Shape::Flag => arg
            .value_name("true|false")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Shape::Text => arg.value_name("TEXT"),
        Shape::Number => arg.value_name("NUMBER"),
        Shape::List => arg.value_name("LIST"),
    }
}

/// `global` flags may also stand behind the commands below this one.
fn augment(command: Command, wanted: fn(&Setting) -> bool, global: bool) -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .global(global)
        .help("File with settings [env: PULSO_CONFIG] [default: ./pulso.toml if it exists]");
    FLAGS
        .iter()
        .filter(|flag| wanted(&flag.setting))
        .fold(command.arg(config), |command, flag| command.arg(argument(flag).global(global)))
}

fn given(matches: &ArgMatches, wanted: fn(&Setting) -> bool) -> Given {
    let flags = FLAGS
        .iter()
        .filter(|flag| wanted(&flag.setting))
        .filter_map(|flag| {
            let value = matches.get_one::<String>(&flag.id)?;
            Some((flag.id.clone(), value.clone()))
        })
        .collect();
    Given { flags, file: matches.get_one::<PathBuf>("config").cloned() }
}

fn every(_setting: &Setting) -> bool {
    true
}

fn for_commands(setting: &Setting) -> bool {
    setting.every_command
}

macro_rules! flags {
    ($name:ident, $wanted:ident, $global:literal) => {
        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self(given(matches, $wanted)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                self.0 = given(matches, $wanted);
                Ok(())
            }
        }

        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                augment(command, $wanted, $global)
            }

            fn augment_args_for_update(command: Command) -> Command {
                augment(command, $wanted, $global)
            }
        }
    };
}

flags!(ServeFlags, every, false);
flags!(CommandFlags, for_commands, true);
