// What the old service does to refresh and to check a token, on its own stack and tuned: Fastify with compiled answers,
// jsonwebtoken with keys that are parsed once, ioredis with pipelining, pg with prepared statements.
//
// It does its work as the old one meant to: a refresh token is used once (GETDEL, where the old service read and
// deleted in two steps), and a token is checked whatever the cache says of it. It keeps no log of refreshes.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import Fastify from "fastify";
import { Redis } from "ioredis";
import jwt from "jsonwebtoken";
import pg from "pg";
import { onAllCores, port } from "./cores.mjs";

const ISSUER = "https://bench.portcullis.dev";
const WEEK = 7 * 24 * 60 * 60;
const STATUS_SECONDS = 60;

const text = { type: "string" };
const tokens = { type: "object", properties: { accessToken: text, refreshToken: text } };
const user = {
  type: "object",
  properties: {
    id: text, email: text, first_name: text, last_name: text, email_verified: { type: "boolean" },
    mfa_enabled: { type: "boolean" }, permissions: { type: "array", items: text }, role: text, tenant_id: text,
  },
};
const claims = {
  type: "object",
  properties: {
    sub: text, type: text, jti: text, tenant_id: text, permissions: { type: "array", items: text }, role: text,
    iat: { type: "integer" }, exp: { type: "integer" }, iss: text, aud: text,
  },
};
const refreshed = { response: { 200: { type: "object", properties: { user, tokens } } } };
const verified = { response: { 200: { type: "object", properties: { valid: { type: "boolean" }, user: claims } } } };

const pool = () => new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8 });

async function prepare() {
  const database = pool();
  await database.query(`
    CREATE TABLE users (
      id uuid PRIMARY KEY, email text NOT NULL UNIQUE, first_name text NOT NULL, last_name text NOT NULL,
      email_verified boolean NOT NULL, mfa_enabled boolean NOT NULL, permissions text[] NOT NULL, role text NOT NULL,
      tenant_id uuid NOT NULL, deleted_at timestamptz);
    CREATE TABLE active_tokens (
      jti uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, revoked boolean NOT NULL DEFAULT false);`);
  await database.end();
  const pem = (type) => ({ type, format: "pem" });
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: Number(process.env.KEY_BITS), privateKeyEncoding: pem("pkcs8"), publicKeyEncoding: pem("spki"),
  });
  return { PRIVATE_KEY: privateKey };
}

async function serve() {
  const database = pool();
  const redis = new Redis(process.env.REDIS_URL, { enableAutoPipelining: true });
  const privateKey = createPrivateKey(process.env.PRIVATE_KEY);
  const publicKey = createPublicKey(privateKey);
  const app = Fastify({ logger: false });

  const sign = (payload, options) => jwt.sign(payload, privateKey, { algorithm: "RS256", keyid: "1", ...options });
  const accessToken = (user) =>
    sign(
      {
        sub: user.id, type: "access", jti: randomUUID(), tenant_id: user.tenant_id, permissions: user.permissions,
        role: user.role,
      },
      { expiresIn: "15m", issuer: ISSUER, audience: ISSUER },
    );
  const store = (name, user, family, request) =>
    redis.setex(
      `refresh_token:${name}`,
      WEEK,
      JSON.stringify({
        userId: user.id, tenantId: user.tenant_id, family, createdAt: Date.now(), ipAddress: request.ip,
        userAgent: request.headers["user-agent"] ?? "unknown",
      }),
    );
  async function signedRefreshToken(user, family, request) {
    const jti = randomUUID();
    const token = sign({ sub: user.id, type: "refresh", jti, tenant_id: user.tenant_id, family }, { expiresIn: WEEK });
    await store(jti, user, family, request);
    return token;
  }
  const nameOf = (opaque) => createHash("sha256").update(opaque).digest("base64url");
  async function opaqueRefreshToken(user, family, request) {
    const token = randomBytes(32).toString("base64url");
    await store(nameOf(token), user, family, request);
    return token;
  }
  async function findUser(id) {
    const { rows } = await database.query({
      name: "user",
      text: `SELECT id, email, first_name, last_name, email_verified, mfa_enabled, permissions, role, tenant_id
             FROM users WHERE id = $1 AND deleted_at IS NULL`,
      values: [id],
    });
    return rows[0];
  }
  /** Takes a stored refresh token out, and gives the user a new pair. */
  async function exchange(name, newRefreshToken, request, reply) {
    const stored = await redis.getdel(`refresh_token:${name}`);
    const { userId, family } = stored === null ? {} : JSON.parse(stored);
    const user = userId && (await findUser(userId));
    if (!user) return reply.code(401).send({ error: "Invalid refresh token" });
    const refreshToken = await newRefreshToken(user, family, request);
    return { user, tokens: { accessToken: accessToken(user), refreshToken } };
  }
  function verify(token, options) {
    try {
      return jwt.verify(token, publicKey, { algorithms: ["RS256"], ...options });
    } catch {
      return undefined;
    }
  }
  function accessClaims(request) {
    const authorization = request.headers.authorization ?? "";
    const claims = authorization.startsWith("Bearer ")
      ? verify(authorization.slice(7), { issuer: ISSUER, audience: ISSUER })
      : undefined;
    return claims?.type === "access" && claims.tenant_id ? claims : undefined;
  }
  /** The cache first; what it does not know is looked up and kept for a minute. */
  async function isRevoked(jti) {
    const status = await redis.get(`token:${jti}`);
    if (status !== null) return status === "revoked";
    const { rows } = await database.query({
      name: "token", text: "SELECT revoked FROM active_tokens WHERE jti = $1", values: [jti],
    });
    const revoked = rows[0]?.revoked ?? false;
    await redis.setex(`token:${jti}`, STATUS_SECONDS, revoked ? "revoked" : "valid");
    return revoked;
  }
  const invalid = (reply) => reply.code(401).send({ error: "Invalid token" });

  app.get("/live", async () => "");
  // Stands in for the sign-in, which is not measured here.
  app.post("/sessions", async (request) => {
    const id = randomUUID();
    await database.query(
      `INSERT INTO users VALUES ($1, $2, 'Bench', 'Caller', true, false, $3, 'customer', $4)`,
      [
        id, `${id}@bench.example`, ["tickets:purchase", "tickets:view-own", "tickets:transfer-own", "profile:update-own"],
        "00000000-0000-0000-0000-000000000001",
      ],
    );
    const user = await findUser(id);
    const token = accessToken(user);
    await database.query("INSERT INTO active_tokens VALUES ($1, $2)", [jwt.decode(token).jti, id]);
    return {
      accessToken: token,
      refreshToken: await signedRefreshToken(user, randomUUID(), request),
      opaqueRefreshToken: await opaqueRefreshToken(user, randomUUID(), request),
    };
  });
  app.post("/auth/refresh", { schema: refreshed }, (request, reply) => {
    const claims = verify(request.body.refreshToken);
    const jti = claims?.type === "refresh" ? claims.jti : undefined;
    return exchange(jti, signedRefreshToken, request, reply);
  });
  app.post("/auth/refresh-opaque", { schema: refreshed }, (request, reply) =>
    exchange(nameOf(request.body.refreshToken), opaqueRefreshToken, request, reply),
  );
  app.get("/auth/verify", { schema: verified }, async (request, reply) => {
    const claims = accessClaims(request);
    if (!claims || (await isRevoked(claims.jti))) return invalid(reply);
    return { valid: true, user: claims };
  });
  app.get("/auth/verify-signature", { schema: verified }, async (request, reply) => {
    const claims = accessClaims(request);
    return claims ? { valid: true, user: claims } : invalid(reply);
  });
  await app.listen({ host: "127.0.0.1", port });
}

await onAllCores(prepare, serve);
