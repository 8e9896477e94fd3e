//! As much BSON as Duo's API answers in: documents of texts and documents (bsonspec.org, version 1.1).

/// A value and its name.
pub enum Field<'a> {
    Text(&'a str, &'a str),
    Document(&'a str, Vec<u8>),
}

pub fn document(fields: &[Field<'_>]) -> Vec<u8> {
    let mut inside = Vec::new();
    for field in fields {
        match field {
            Field::Text(name, text) => {
                head(&mut inside, 2, name);
                inside.extend(length(text.len() + 1));
                inside.extend(text.as_bytes());
                inside.push(0);
            }
            Field::Document(name, document) => {
                head(&mut inside, 3, name);
                inside.extend(document);
            }
        }
    }
    let mut whole = length(inside.len() + 5).to_vec();
    whole.extend(inside);
    whole.push(0);
    whole
}

fn head(into: &mut Vec<u8>, kind: u8, name: &str) {
    into.push(kind);
    into.extend(name.as_bytes());
    into.push(0);
}

fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes)
        .expect("a short document")
        .to_le_bytes()
}
