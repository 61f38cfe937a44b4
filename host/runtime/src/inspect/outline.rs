//! The names that a component imports and exports, read from its type sections; no code of it is looked at.

use serde::{Deserialize, Serialize};
use wasmparser::{
    Parser, Payload, ValidPayload, Validator, WasmFeatures,
    component_types::{ComponentAnyTypeId, ComponentEntityType},
    types::{Types, TypesRef},
};

/// The version of an outline, which changes with what is written of it.
pub const FORMAT: u32 = 1;
/// Imports and exports; the host itself offers less than a hundred.
const MAX_NAMES: usize = 10_000;

/// Imports and exports, as the file has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    pub imports: Vec<Asked>,
    pub exports: Vec<String>,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub name: String,
    /// False for an interface of types alone.
    pub calls: bool,
}

impl Outline {
    /// Reads the sections of a component and checks their types; function bodies are passed over.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut outline = Outline::default();
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        let mut depth = 0_u32;
        let mut types = None;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(text)?;
            match &payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ if depth == 0 => outline.note(&payload)?,
                _ => {}
            }
            if let ValidPayload::End(found) = validator.payload(&payload).map_err(text)? {
                types = Some(found);
            }
        }
        if let Some(types) = types {
            outline.judge(&types);
        }
        Ok(outline)
    }

    fn note(&mut self, payload: &Payload<'_>) -> Result<(), String> {
        match payload {
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone() {
                    let name = import.map_err(text)?.name.name.to_owned();
                    self.imports.push(Asked { name, calls: true });
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports.clone() {
                    self.exports
                        .push(export.map_err(text)?.name.name.to_owned());
                }
            }
            _ => {}
        }
        let names = self.imports.len() + self.exports.len();
        if names > MAX_NAMES {
            return Err(format!(
                "{names} imports and exports; expected at most {MAX_NAMES}"
            ));
        }
        Ok(())
    }

    fn judge(&mut self, types: &Types) {
        let types = types.as_ref();
        for asked in &mut self.imports {
            let item = types.component_item_for_import(&asked.name);
            asked.calls = item.is_none_or(|item| calls(types, item.ty));
        }
    }
}

fn text(error: wasmparser::Error) -> String {
    error.to_string()
}

/// Returns whether an import has a function or a resource.
fn calls(types: TypesRef<'_>, entity: ComponentEntityType) -> bool {
    let ComponentEntityType::Instance(instance) = entity else {
        return true;
    };
    types[instance].exports.values().any(|item| {
        matches!(
            item.ty,
            ComponentEntityType::Func(_)
                | ComponentEntityType::Type {
                    referenced: ComponentAnyTypeId::Resource(_),
                    ..
                }
        )
    })
}
