// The edge, and beside it a request by the platform's own option against caching.
import edge from "edge/entry.js";

export default {
  fetch(request, env, ctx) {
    return new URL(request.url).pathname === "/no-store"
      ? fetch(request.url, { cache: "no-store" })
      : edge.fetch(request, env, ctx);
  },
};
