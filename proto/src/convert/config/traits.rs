//! What is known of models.

use super::super::{
    ConvertError,
    word::{self, Word},
};
use crate::v1;
use cliproxy_domain::{ModelPattern, TraitsEntry};

pub(super) fn to_wire(entry: &TraitsEntry) -> v1::ModelTraits {
    v1::ModelTraits {
        models: entry.models.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
        max_output: entry.max_output,
        abilities: entry
            .abilities
            .iter()
            .map(|(need, able)| v1::Ability { need: need.word().to_owned(), able: *able })
            .collect(),
        thinking: entry.thinking.map(|way| way.word().to_owned()).unwrap_or_default(),
        efforts: entry.efforts.as_ref().map(|efforts| v1::Efforts {
            values: efforts.iter().map(|effort| effort.word().to_owned()).collect(),
        }),
        thinking_optional: entry.thinking_optional,
        sampling: entry.sampling,
        system_anywhere: entry.system_anywhere,
        prefill: entry.prefill,
        forced_tools_while_thinking: entry.forced_tools_while_thinking,
        tools_need_responses: entry.tools_need_responses,
    }
}

pub(super) fn from_wire(wire: &v1::ModelTraits) -> Result<TraitsEntry, ConvertError> {
    if wire.models.is_empty() {
        return Err(ConvertError::Missing { field: "ModelTraits.models" });
    }
    if wire.max_output == Some(0) {
        let field = "ModelTraits.max_output";
        return Err(ConvertError::OutOfRange { field, value: 0, expected: "at least 1" });
    }
    let efforts = |efforts: &v1::Efforts| {
        efforts.values.iter().map(|effort| word::read("Efforts.values", effort)).collect()
    };
    Ok(TraitsEntry {
        models: wire.models.iter().map(ModelPattern::new).collect(),
        max_output: wire.max_output,
        abilities: wire
            .abilities
            .iter()
            .map(|ability| Ok((word::read("Ability.need", &ability.need)?, ability.able)))
            .collect::<Result<_, ConvertError>>()?,
        thinking: match wire.thinking.as_str() {
            "" => None,
            way => Some(word::read("ModelTraits.thinking", way)?),
        },
        efforts: wire.efforts.as_ref().map(efforts).transpose()?,
        thinking_optional: wire.thinking_optional,
        sampling: wire.sampling,
        system_anywhere: wire.system_anywhere,
        prefill: wire.prefill,
        forced_tools_while_thinking: wire.forced_tools_while_thinking,
        tools_need_responses: wire.tools_need_responses,
    })
}
