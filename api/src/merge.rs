//! JSON Merge Patch (RFC 7396) on things with many parts: checked as if it were the whole, then laid over what is there.

use axum::extract::{FromRequest, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use workflows::Error;

use crate::body;
use crate::problem::Problem;

/// A patch of a `T` of which every part may be absent.
#[derive(Debug)]
pub struct MergePatch<T> {
    /// What it says, where `null` and absent cannot be told apart.
    pub said: T,
    patch: Value,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for MergePatch<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let bytes = body::read(request, body::MAX_BYTES).await?;
        Ok(Self { said: body::parse(&headers, &bytes)?, patch: body::parse(&headers, &bytes)? })
    }
}

impl<T: Serialize + DeserializeOwned> MergePatch<T> {
    /// What becomes of `present`.
    ///
    /// # Errors
    /// When a part is taken away that cannot be.
    pub fn over(&self, present: &T) -> Result<T, Error> {
        let mut whole = serde_json::to_value(present).expect("bodies are plain JSON");
        lay(&mut whole, &self.patch);
        serde_json::from_value(whole).map_err(|_| Error::flaw("", "invalid_value", "a part cannot be taken away"))
    }
}

fn lay(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            lay(fields.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The cases of RFC 7396, appendix A.
    #[test]
    fn a_patch_does_what_the_standard_says() {
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (mut target, patch, result) in cases {
            lay(&mut target, &patch);
            assert_eq!(target, result, "{patch}");
        }
    }
}
