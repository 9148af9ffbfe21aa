// The module that workerd loads.
//
// worker-build exports a class behind two proxies, so each request would make an object of that class and pass
// both proxies: about as much work again as the decision on a token seen before. The class's method is all that
// is needed. It recovers from a panic as well: wasm-bindgen's glue makes a new instance at the next call.
import { DurableObject } from "cloudflare:workers";
import Entrypoint from "./build/index.js";

const { fetch, takePlace, forgetPlaces } = Entrypoint.prototype;

export default {
  fetch(request, env, ctx) {
    return fetch.call({ env, ctx }, request);
  },
};

// Keeps one exact limit of one client. All that it does is in Rust (edge/src/runtime/exact.rs).
export class ExactLimit extends DurableObject {
  take(limit, windowSeconds) {
    return takePlace(this.ctx.storage, limit, windowSeconds);
  }

  alarm() {
    return forgetPlaces(this.ctx.storage);
  }
}
