// The answer of the decision rows, as the edge gives it to a proxy that asks before it forwards: who is calling.
export function identity(claims) {
  const headers = new Headers();
  headers.set("x-auth-subject", claims.sub);
  headers.set("x-auth-tenant", claims.tenant_id);
  headers.set("x-auth-session", claims.sid);
  headers.set("x-auth-role", claims.role);
  headers.set("x-auth-permissions", claims.permissions.join(" "));
  headers.set("x-auth-acr", claims.acr);
  headers.set("cache-control", "no-store");
  headers.set("x-request-id", crypto.randomUUID());
  return new Response(null, { status: 204, headers });
}
