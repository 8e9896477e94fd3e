//! Encodes the part of BSON that Duo's API uses: strings and documents (bsonspec.org, version 1.1).

/// A named value.
pub enum Field<'a> {
    Text(&'a str, &'a str),
    Document(&'a str, Vec<u8>),
}

pub fn document(fields: &[Field<'_>]) -> Vec<u8> {
    let mut fields_bytes = Vec::new();
    for field in fields {
        match field {
            Field::Text(name, text) => {
                put_head(&mut fields_bytes, 2, name);
                fields_bytes.extend(length(text.len() + 1));
                fields_bytes.extend(text.as_bytes());
                fields_bytes.push(0);
            }
            Field::Document(name, document) => {
                put_head(&mut fields_bytes, 3, name);
                fields_bytes.extend(document);
            }
        }
    }
    let mut document = length(fields_bytes.len() + 5).to_vec();
    document.extend(fields_bytes);
    document.push(0);
    document
}

fn put_head(out: &mut Vec<u8>, kind: u8, name: &str) {
    out.push(kind);
    out.extend(name.as_bytes());
    out.push(0);
}

fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes)
        .expect("a short document")
        .to_le_bytes()
}
