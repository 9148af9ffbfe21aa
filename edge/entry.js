// The module that workerd loads.
//
// worker-build exports a class behind two proxies, so each request would make an object of that class and pass
// both proxies: about as much work again as the decision on a token seen before. The class's methods are all that
// is needed. They recover from a panic as well: wasm-bindgen's glue makes a new instance at the next call.
import { DurableObject, env } from "cloudflare:workers";
import Entrypoint from "./build/index.js";

const { fetch, panicked, takePlace, forgetPlaces } = Entrypoint.prototype;
const { answeredByOrigin, answeredByApplication, failed, namedBy } = Entrypoint.prototype;

// What the module hands on to JavaScript that outlives a panic: its functions, which lead to whichever instance there is by
// then. One that is new since a panic has not been told of the environment by a request.
globalThis.portcullis = { environment: env, answeredByOrigin, answeredByApplication, failed, namedBy };

export default {
  fetch(request, env, ctx) {
    try {
      return fetch.call({ env, ctx }, request);
    } catch {
      // The panic has been logged.
      return panicked(request);
    }
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
