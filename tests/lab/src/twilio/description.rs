//! Validation of requests and responses against Twilio's OpenAPI description.
#![forbid(unsafe_code)]

use regex_lite::Regex;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../openapi/twilio_api_v2010.json");
    serde_json::from_str(text).expect("Twilio's description is JSON")
});

/// An operation of the description.
#[derive(Debug)]
pub struct Operation {
    /// The path template of the description.
    pub template: &'static str,
    /// The parameters in the path: `AccountSid`, `Sid`.
    pub parameters: HashMap<&'static str, String>,
    node: &'static Value,
}

/// Why no operation was found.
#[derive(Debug, PartialEq, Eq)]
pub enum NoOperation {
    Path,
    Method,
}

/// An invalid field of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Violation {
    Missing(String),
    Unknown(String),
    Twice(String),
    Malformed(String),
    /// None of these alternatives is present.
    NoneOf(Vec<String>),
}

/// Finds the operation whose path parameters match their patterns.
pub fn operation(method: &str, path: &str) -> Result<Operation, NoOperation> {
    let paths = DESCRIPTION["paths"]
        .as_object()
        .expect("the description has paths");
    for (template, item) in paths {
        let Some(parameters) = match_path(template, path) else {
            continue;
        };
        let Some(node) = item.get(method.to_ascii_lowercase()) else {
            return Err(NoOperation::Method);
        };
        let fits = list(&node["parameters"])
            .filter(|parameter| parameter["in"] == "path")
            .all(|parameter| {
                let value = &parameters[text(&parameter["name"])];
                fits(value, &parameter["schema"])
            });
        return if fits {
            Ok(Operation {
                template,
                parameters,
                node,
            })
        } else {
            Err(NoOperation::Path)
        };
    }
    Err(NoOperation::Path)
}

impl Operation {
    /// Whether the operation requires credentials.
    pub fn needs_credentials(&self) -> bool {
        list(&self.node["security"]).any(|way| way.get("accountSid_authToken").is_some())
    }

    /// Validates the fields of a form.
    pub fn check_form(&self, fields: &[(String, String)]) -> Vec<Violation> {
        let schema =
            &self.node["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
        let mut found = check(fields, |name| schema["properties"].get(name));
        for name in list(&schema["required"]).map(text) {
            if !has(fields, name) {
                found.push(Violation::Missing(name.to_owned()));
            }
        }
        // "x-twilio.conditional": at least one of each group.
        for group in list(&self.node["x-twilio"]["conditional"]) {
            let names: Vec<String> = list(group).map(|name| pascal(text(name))).collect();
            if !names.iter().any(|name| has(fields, name)) {
                found.push(Violation::NoneOf(names));
            }
        }
        found
    }

    /// Validates the parameters of a query.
    pub fn check_query(&self, fields: &[(String, String)]) -> Vec<Violation> {
        check(fields, |name| {
            list(&self.node["parameters"])
                .find(|parameter| parameter["in"] == "query" && parameter["name"] == name)
                .map(|parameter| &parameter["schema"])
        })
    }

    /// Validates the body of a response: missing, unknown and malformed fields.
    pub fn check_response(&self, http: u16, body: &Value) -> Vec<String> {
        let schema = &self.node["responses"][http.to_string()]["content"]["application/json"];
        let mut found = Vec::new();
        check_value("body", body, &schema["schema"], &mut found);
        found
    }
}

fn check(
    fields: &[(String, String)],
    schema_of: impl Fn(&str) -> Option<&'static Value>,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, (name, value)) in fields.iter().enumerate() {
        let Some(schema) = schema_of(name) else {
            found.push(Violation::Unknown(name.clone()));
            continue;
        };
        let array = schema["type"] == "array";
        if !array && has(&fields[..index], name) {
            found.push(Violation::Twice(name.clone()));
        }
        // An empty field counts as absent.
        if !value.is_empty() && !fits(value, if array { &schema["items"] } else { schema }) {
            found.push(Violation::Malformed(name.clone()));
        }
    }
    found
}

fn has(fields: &[(String, String)], name: &str) -> bool {
    fields
        .iter()
        .any(|(key, value)| key == name && !value.is_empty())
}

/// Whether a text in a form or path conforms to a schema.
fn fits(value: &str, schema: &'static Value) -> bool {
    let schema = resolve(schema);
    let length = value.chars().count() as u64;
    let number = |bound: &str| schema[bound].as_i64();
    match text(&schema["type"]) {
        "integer" => value.parse::<i64>().is_ok_and(|value| {
            number("minimum").is_none_or(|low| value >= low)
                && number("maximum").is_none_or(|high| value <= high)
        }),
        "number" => value.parse::<f64>().is_ok_and(f64::is_finite),
        "boolean" => matches!(value, "true" | "false"),
        _ => {
            schema["minLength"].as_u64().is_none_or(|low| length >= low)
                && schema["maxLength"]
                    .as_u64()
                    .is_none_or(|high| length <= high)
                && schema["pattern"]
                    .as_str()
                    .is_none_or(|pattern| matches(pattern, value))
                && schema["enum"]
                    .as_array()
                    .is_none_or(|words| words.iter().any(|w| w == value))
                && (schema["format"] != "phone-number" || phone(value))
        }
    }
}

/// Whether a text is a "phone-number": E.164, a short code, a channel address or an alphanumeric sender.
fn phone(value: &str) -> bool {
    let number = value.split_once(':').map_or(value, |(_, number)| number);
    matches(
        r"^\+[1-9][0-9]{6,14}$|^[0-9]{4,6}$|^[A-Za-z][A-Za-z0-9 ]{0,10}$",
        number,
    )
}

fn check_value(at: &str, value: &Value, schema: &'static Value, found: &mut Vec<String>) {
    let schema = resolve(schema);
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    let right = match text(&schema["type"]) {
        "string" => value.as_str().is_some_and(|value| fits(value, schema)),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    if !right {
        found.push(format!("{at} is {value}, not {}", schema["type"]));
    }
    for (index, item) in list(value).enumerate() {
        check_value(&format!("{at}[{index}]"), item, &schema["items"], found);
    }
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    for (name, schema) in properties {
        match value.get(name) {
            Some(value) => check_value(&format!("{at}.{name}"), value, schema, found),
            None => found.push(format!("{at}.{name} is missing")),
        }
    }
    for name in value
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::keys)
    {
        if !properties.contains_key(name) {
            found.push(format!("{at}.{name} is unknown"));
        }
    }
}

fn match_path(template: &'static str, path: &str) -> Option<HashMap<&'static str, String>> {
    let (mut parameters, mut rest, mut pattern) = (HashMap::new(), path, template);
    while let Some((before, placeholder)) = pattern.split_once('{') {
        rest = rest.strip_prefix(before)?;
        let (name, after) = placeholder.split_once('}')?;
        let stop = after.chars().next()?;
        let (value, tail) = rest.split_at(rest.find(stop)?);
        if value.contains('/') {
            return None;
        }
        parameters.insert(name, value.to_owned());
        (rest, pattern) = (tail, after);
    }
    (rest == pattern).then_some(parameters)
}

fn resolve(schema: &'static Value) -> &'static Value {
    let Some(reference) = schema["$ref"].as_str() else {
        return schema;
    };
    let pointer = reference.trim_start_matches('#');
    DESCRIPTION
        .pointer(pointer)
        .unwrap_or_else(|| panic!("the description lacks {reference}"))
}

fn matches(pattern: &str, value: &str) -> bool {
    Regex::new(pattern)
        .expect("a pattern of the description")
        .is_match(value)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Converts `messaging_service_sid` to the field name `MessagingServiceSid`.
fn pascal(snake: &str) -> String {
    snake
        .split('_')
        .map(|word| word[..1].to_ascii_uppercase() + &word[1..])
        .collect()
}
