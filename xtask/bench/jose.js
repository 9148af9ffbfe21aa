// Verifies with jose, looks for the permission, answers who is calling.
import { identity } from "./identity.js";
import { verify } from "./verify.js";

export default {
  async fetch(request, env) {
    let claims;
    try {
      claims = await verify(request, env);
    } catch {
      return new Response(null, { status: 401 });
    }
    return claims.permissions.includes("tickets:purchase") ? identity(claims) : new Response(null, { status: 403 });
  },
};
