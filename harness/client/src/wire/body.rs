//! The body of a request.

use crate::server::Prepared;
use crate::target::{Api, Target};
use serde_json::{Map, Value, json};

/// The body as JSON: greedy, streamed, with token counts at the end.
pub(crate) fn body(target: &Target, request: &Prepared) -> String {
    let mut fields = Map::new();
    fields.insert("model".into(), json!(target.model));
    match target.api {
        Api::Chat => {
            let message = json!([{ "role": "user", "content": &*request.prompt }]);
            fields.insert("messages".into(), message);
        }
        Api::Completions => {
            fields.insert("prompt".into(), json!(&*request.prompt));
        }
    }
    fields.insert("max_tokens".into(), json!(request.osl.get()));
    fields.insert("temperature".into(), json!(0));
    fields.insert("stream".into(), json!(true));
    fields.insert("stream_options".into(), json!({ "include_usage": true }));
    if target.ignore_eos {
        fields.insert("ignore_eos".into(), json!(true));
    }
    fields.extend(target.body.clone());
    Value::Object(fields).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use freeweights_record::units::Tokens;

    #[test]
    fn what_is_sent() {
        let mut target = Target::new("http://h/v1", "m").unwrap();
        let request = Prepared { index: 0, prompt: "a \"b\"".into(), osl: Tokens::new(8) };
        insta::assert_snapshot!(body(&target, &request), @r#"{"model":"m","messages":[{"role":"user","content":"a \"b\""}],"max_tokens":8,"temperature":0,"stream":true,"stream_options":{"include_usage":true},"ignore_eos":true}"#);
        target.api = Api::Completions;
        target.ignore_eos = false;
        target.body.insert("temperature".into(), json!(1));
        target.body.insert("min_tokens".into(), json!(8));
        insta::assert_snapshot!(body(&target, &request), @r#"{"model":"m","prompt":"a \"b\"","max_tokens":8,"temperature":1,"stream":true,"stream_options":{"include_usage":true},"min_tokens":8}"#);
    }
}
