//! Bodies that the Worker itself reads.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Response};

/// The body of a response, of at most `most` bytes. What is longer is not read to its end.
pub(super) async fn read(response: &Response, most: usize) -> Result<Vec<u8>, &'static str> {
    match collect(response, most).await {
        Ok(Some(body)) => Ok(body),
        Ok(None) => Err("the body is too long"),
        Err(_) => Err("the body broke off"),
    }
}

async fn collect(response: &Response, most: usize) -> Result<Option<Vec<u8>>, JsValue> {
    let mut bytes = Vec::new();
    let Some(stream) = response.body() else {
        return Ok(Some(bytes));
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let piece = JsFuture::from(reader.read()).await?;
        if Reflect::get(&piece, &JsValue::from_str("done"))?.is_truthy() {
            return Ok(Some(bytes));
        }
        let piece: Uint8Array = Reflect::get(&piece, &JsValue::from_str("value"))?.unchecked_into();
        if bytes.len().saturating_add(piece.byte_length() as usize) > most {
            JsFuture::from(reader.cancel()).await?;
            return Ok(None);
        }
        bytes.extend_from_slice(&piece.to_vec());
    }
}
