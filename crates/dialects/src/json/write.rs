//! Writing JSON field by field, without a tree.

use serde::Serialize;

/// Writes one JSON object. Fields come out in the order of the calls; the object ends when it is dropped.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Object<'o> {
    /// Begins an object at the end of `out`.
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        super::push(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// Writes a field of any serialisable value.
    pub(crate) fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> &mut Self {
        let out = self.key(key);
        super::push(out, value);
        self
    }

    /// Writes a field when there is a value.
    pub(crate) fn maybe<T: Serialize>(&mut self, key: &str, value: Option<T>) -> &mut Self {
        if let Some(value) = value {
            self.field(key, &value);
        }
        self
    }

    /// Writes a field of JSON text that the caller knows to be valid.
    pub(crate) fn raw(&mut self, key: &str, json: &str) -> &mut Self {
        self.key(key).extend_from_slice(json.as_bytes());
        self
    }

    /// Begins a field that is an object.
    pub(crate) fn object(&mut self, key: &str) -> Object<'_> {
        Object::new(self.key(key))
    }

    /// Begins a field that is an array.
    pub(crate) fn array(&mut self, key: &str) -> Array<'_> {
        Array::new(self.key(key))
    }

    /// Writes the fields of a bag that belong here.
    pub(crate) fn bag<'b>(&mut self, fields: impl Iterator<Item = (&'b str, &'b serde_json::Value)>) {
        for (name, value) in fields {
            self.field(name, value);
        }
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        self.out.push(b'}');
    }
}

/// Writes one JSON array; it ends when it is dropped.
pub(crate) struct Array<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Array<'o> {
    /// Begins an array at the end of `out`.
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, first: true }
    }

    fn next(&mut self) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out
    }

    /// Writes an element of any serialisable value.
    pub(crate) fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> &mut Self {
        let out = self.next();
        super::push(out, value);
        self
    }

    /// Writes an element of JSON text that the caller knows to be valid.
    pub(crate) fn raw(&mut self, json: &str) -> &mut Self {
        self.next().extend_from_slice(json.as_bytes());
        self
    }

    /// Begins an element that is an object.
    pub(crate) fn object(&mut self) -> Object<'_> {
        Object::new(self.next())
    }

    /// Tells whether nothing was written yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.first
    }
}

impl Drop for Array<'_> {
    fn drop(&mut self) {
        self.out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_arrays_close_where_they_go_out_of_scope() {
        let mut out = Vec::new();
        {
            let mut object = Object::new(&mut out);
            object.field("a", &1).maybe("b", None::<u8>).maybe("c", Some("x\"y")).raw("d", "[1]");
            {
                let mut array = object.array("e");
                array.element(&true).raw("{}");
                array.object().field("f", "g");
            }
            drop(object.object("h"));
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"a":1,"c":"x\"y","d":[1],"e":[true,{},{"f":"g"}],"h":{}}"#
        );
    }
}
