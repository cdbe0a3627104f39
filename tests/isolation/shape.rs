//! The schema as the server tells it: root fields, and selections of everything there is to select.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::support::TestApp;

/// Arguments of fields below the root that do not do without.
const ARGUMENTS: &[(&str, &str)] = &[("countUpTo", "(limit: 10)")];

const OF: &str = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";

/// Types by name, and the names of the roots.
pub struct Shape {
    types: BTreeMap<String, Json>,
    roots: Json,
}

/// A field and the type at the bottom of its own.
pub struct Field {
    pub name: String,
    pub of: String,
}

impl Shape {
    pub async fn of(app: &TestApp) -> Self {
        let query = format!(
            "{{ __schema {{ queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }} \
             types {{ kind name fields(includeDeprecated: true) {{ name \
             args {{ name defaultValue type {{ kind }} }} type {{ {OF} }} }} }} }} }}"
        );
        let mut told = app.data(&app.alpha.admin.key, &query, json!({})).await;
        let mut roots = told["__schema"].take();
        let Json::Array(types) = roots["types"].take() else { panic!("no types") };
        let types = types.into_iter().map(|ty| (ty["name"].as_str().unwrap().to_owned(), ty));
        Self { types: types.collect(), roots }
    }

    /// The fields of a root: `query`, `mutation` or `subscription`.
    pub fn root(&self, kind: &str) -> Vec<Field> {
        let root = self.roots[format!("{kind}Type")]["name"].as_str();
        let Some(root) = root else { return Vec::new() };
        let fields = self.types[root]["fields"].as_array().unwrap();
        let field = |field: &Json| Field {
            name: field["name"].as_str().unwrap().to_owned(),
            of: innermost(&field["type"]).1.to_owned(),
        };
        fields.iter().map(field).collect()
    }

    /// The root that a field belongs to.
    pub fn root_of(&self, name: &str) -> Option<&'static str> {
        let has = |kind: &&&str| self.root(kind).iter().any(|field| field.name == name);
        ["query", "mutation", "subscription"].iter().find(has).copied()
    }

    /// Object types that people see, beside the roots.
    pub fn objects(&self) -> Vec<&str> {
        let roots = ["queryType", "mutationType", "subscriptionType"];
        let roots: Vec<&Json> = roots.iter().map(|root| &self.roots[*root]["name"]).collect();
        let objects = self.types.iter().filter(|(name, ty)| {
            ty["kind"] == "OBJECT" && !name.starts_with("__") && !roots.contains(&&ty["name"])
        });
        objects.map(|(name, _)| name.as_str()).collect()
    }

    /// The types that [`Shape::selection`] asks for.
    pub fn below(&self, of: &str, depth: usize) -> Vec<String> {
        let mut names = vec![of.to_owned()];
        for field in self.types[of]["fields"].as_array().into_iter().flatten() {
            let (kind, inner) = innermost(&field["type"]);
            if kind == "OBJECT" && depth > 0 {
                names.extend(self.below(inner, depth - 1));
            }
        }
        names
    }

    /// Every field of a type, and of what it leads to as many steps as `depth`; the rows of a page
    /// are not a step further. Empty for what has no fields.
    pub fn selection(&self, of: &str, depth: usize) -> String {
        let Some(fields) = self.types[of]["fields"].as_array() else { return String::new() };
        let mut names = Vec::new();
        for field in fields {
            let name = field["name"].as_str().unwrap();
            let (kind, inner) = innermost(&field["type"]);
            let needs = field["args"].as_array().unwrap().iter().any(|argument| {
                argument["type"]["kind"] == "NON_NULL" && argument["defaultValue"].is_null()
            });
            let arguments =
                ARGUMENTS.iter().find(|(known, _)| *known == name).map(|(_, given)| *given);
            assert!(
                !needs || arguments.is_some(),
                "{of}.{name} does not do without an argument: give it one in ARGUMENTS of \
                 tests/isolation/shape.rs"
            );
            // A page's rows are among its nodes already.
            if kind != "OBJECT" {
                names.push(format!("{name}{}", arguments.unwrap_or_default()));
            } else if name != "edges" && (depth > 0 || inner == "PageInfo" || inner == "CountUpTo")
            {
                let steps = usize::from(!inner.ends_with("Connection"));
                let below = self.selection(inner, depth.saturating_sub(steps));
                if !below.is_empty() {
                    names.push(format!("{name}{} {below}", arguments.unwrap_or_default()));
                }
            }
        }
        if names.is_empty() { String::new() } else { format!("{{ {} }}", names.join(" ")) }
    }
}

fn innermost(of: &Json) -> (&str, &str) {
    let mut of = of;
    while of["ofType"].is_object() {
        of = &of["ofType"];
    }
    (of["kind"].as_str().unwrap(), of["name"].as_str().unwrap())
}
