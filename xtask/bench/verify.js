// What a careful team writes by hand: jose with the key imported once, algorithm, type, issuer and audience pinned.
import { importJWK, jwtVerify } from "jose";

let keys;

export async function verify(request, env) {
  keys ??= new Map(
    await Promise.all(JSON.parse(env.JWKS).keys.map(async (jwk) => [jwk.kid, await importJWK(jwk, "RS256")])),
  );
  const authorization = request.headers.get("authorization");
  if (!authorization?.startsWith("Bearer ")) throw new Error("no token");
  const { payload } = await jwtVerify(authorization.slice(7), (header) => keys.get(header.kid), {
    algorithms: ["RS256"],
    typ: "at+jwt",
    issuer: "https://bench.portcullis.dev",
    audience: "bench",
    requiredClaims: ["sub", "exp", "iat", "jti", "sid", "tenant_id"],
    clockTolerance: 5,
  });
  return payload;
}
