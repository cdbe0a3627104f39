//! The states of a lead and the moves between them.

use crate::record::kind::{EnumType, EnumValue};

pub static STATUS: EnumType = EnumType {
    name: "LeadStatus",
    about: "State of a lead.",
    values: &[
        EnumValue::of("new", "NEW", "New", "Novo"),
        EnumValue::of("contacted", "CONTACTED", "Contacted", "Contatado"),
        EnumValue::of("qualified", "QUALIFIED", "Qualified", "Qualificado"),
        EnumValue::of("unqualified", "UNQUALIFIED", "Unqualified", "Desqualificado"),
        EnumValue::of("converted", "CONVERTED", "Converted", "Convertido"),
        EnumValue::of("lost", "LOST", "Lost", "Perdido"),
    ],
};

pub static TEMPERATURE: EnumType = EnumType {
    name: "LeadTemperature",
    about: "How close a lead is to buying.",
    values: &[
        EnumValue::of("hot", "HOT", "Hot", "Quente"),
        EnumValue::of("warm", "WARM", "Warm", "Morno"),
        EnumValue::of("cold", "COLD", "Cold", "Frio"),
    ],
};

/// new -> contacted -> qualified -> converted; unqualified and lost from any open state and back to
/// contacted; converted is final.
pub fn may_move(from: &str, to: &str) -> bool {
    match from {
        "new" => matches!(to, "contacted" | "unqualified" | "lost"),
        "contacted" => matches!(to, "qualified" | "unqualified" | "lost"),
        "qualified" => matches!(to, "converted" | "unqualified" | "lost"),
        "unqualified" | "lost" => to == "contacted",
        _ => false,
    }
}
