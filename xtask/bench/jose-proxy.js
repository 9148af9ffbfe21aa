// Verifies with jose and proxies what is good.
import proxy from "./proxy.js";
import { verify } from "./verify.js";

export default {
  async fetch(request, env) {
    try {
      await verify(request, env);
    } catch {
      return new Response(null, { status: 401 });
    }
    return proxy.fetch(request, env);
  },
};
