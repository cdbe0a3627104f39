//! The states of a lead and the moves between them.

use crate::record::kind::{EnumType, EnumValue};

pub static STATUS: EnumType = EnumType {
    name: "LeadStatus",
    about: "State of a lead.",
    values: &[
        EnumValue { stored: "new", shown: "NEW", label_en: "New", label_pt: "Novo" },
        EnumValue {
            stored: "contacted",
            shown: "CONTACTED",
            label_en: "Contacted",
            label_pt: "Contatado",
        },
        EnumValue {
            stored: "qualified",
            shown: "QUALIFIED",
            label_en: "Qualified",
            label_pt: "Qualificado",
        },
        EnumValue {
            stored: "unqualified",
            shown: "UNQUALIFIED",
            label_en: "Unqualified",
            label_pt: "Desqualificado",
        },
        EnumValue {
            stored: "converted",
            shown: "CONVERTED",
            label_en: "Converted",
            label_pt: "Convertido",
        },
        EnumValue { stored: "lost", shown: "LOST", label_en: "Lost", label_pt: "Perdido" },
    ],
};

pub static TEMPERATURE: EnumType = EnumType {
    name: "LeadTemperature",
    about: "How close a lead is to buying.",
    values: &[
        EnumValue { stored: "hot", shown: "HOT", label_en: "Hot", label_pt: "Quente" },
        EnumValue { stored: "warm", shown: "WARM", label_en: "Warm", label_pt: "Morno" },
        EnumValue { stored: "cold", shown: "COLD", label_en: "Cold", label_pt: "Frio" },
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
