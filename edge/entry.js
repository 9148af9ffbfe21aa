// The module that workerd loads.
//
// worker-build exports a class behind two proxies, so each request would make an object of that class and pass
// both proxies: about as much work again as the decision on a token seen before. The class's method is all that
// is needed. It recovers from a panic as well: wasm-bindgen's glue makes a new instance at the next call.
import Entrypoint from "./build/index.js";

const { fetch } = Entrypoint.prototype;

export default {
  fetch(request, env, ctx) {
    return fetch.call({ env, ctx }, request);
  },
};
