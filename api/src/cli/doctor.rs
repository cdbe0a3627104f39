//! `pulso doctor`: what this installation would run with, for whoever has to find out why it does not.

use super::flags::CommandFlags;
use super::{Done, Failure, configured, connect, print};
use crate::config::Config;
use crate::db::{Db, migrate};

pub(super) async fn run(flags: CommandFlags) -> Done {
    let config = configured(flags)?;
    print(&format!("pulso {}\n\nSettings", env!("CARGO_PKG_VERSION")))?;
    for (key, value, source) in config.shown() {
        print(&format!("  {key:26} {value}  [{source}]"))?;
    }
    print("\nDatabase")?;
    let db = connect(&config).await?;
    let state = database(&config, &db).await;
    db.close().await;
    state
}

async fn database(config: &Config, db: &Db) -> Done {
    db.ping().await?;
    print(&format!("  {} answers ({})", config.database.url, db.dialect().name()))?;
    let steps = migrate::status(&db.migration_connection()).await?;
    let pending: Vec<&str> =
        steps.iter().filter(|(_, applied)| !applied).map(|(name, _)| name.as_str()).collect();
    print(&format!(
        "  migrations: {} applied, {} pending",
        steps.len() - pending.len(),
        pending.len()
    ))?;
    for name in &pending {
        print(&format!("    pending {name}"))?;
    }
    if pending.is_empty() {
        Ok(())
    } else {
        Err(Failure::Failed("migrations are pending: pulso migrate up".to_owned()))
    }
}
