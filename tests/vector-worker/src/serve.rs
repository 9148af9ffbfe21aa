//! The Worker: a question in, an answer out.

use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, Response};
use worker::{Context, Env, Error, Result, event};

use crate::case::{Answer, Question};
use crate::judge;

#[event(fetch, respond_with_errors)]
async fn fetch(request: Request, _env: Env, _ctx: Context) -> Result<Response> {
    let body = JsFuture::from(request.text()?).await?;
    let body = body
        .as_string()
        .ok_or_else(|| Error::from("the body is not text"))?;
    let question: Question = serde_json::from_str(&body)?;
    let mut answer = Answer {
        webcrypto: Vec::new(),
        reference: Vec::new(),
    };
    for case in &question.cases {
        answer.webcrypto.push(judge::by_webcrypto(case).await);
        answer.reference.push(judge::by_reference(case).await);
    }
    Ok(Response::new_with_opt_str(Some(&serde_json::to_string(
        &answer,
    )?))?)
}
