// Better Auth on Postgres, as its documentation sets it up, with RS256 tokens. Its argument says what is measured:
// `refresh`: each look at the session extends it and hands out a new access token; `check`: it only looks.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { jwt } from "better-auth/plugins";
import pg from "pg";
import { onAllCores, port } from "./cores.mjs";

const refreshes = process.argv[2] === "refresh";
const origin = `http://127.0.0.1:${port}`;

const options = {
  baseURL: origin,
  secret: process.env.SECRET,
  database: new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8 }),
  emailAndPassword: { enabled: true },
  session: refreshes ? { updateAge: 0 } : {},
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [
    jwt({
      jwks: { keyPairConfig: { alg: "RS256", modulusLength: Number(process.env.KEY_BITS) } },
      jwt: { issuer: origin, audience: origin, expirationTime: "15m" },
      disableSettingJwtHeader: !refreshes,
    }),
  ],
};

async function prepare() {
  const { runMigrations } = await getMigrations(options);
  await runMigrations();
  return {};
}

function serve() {
  const handle = toNodeHandler(betterAuth(options));
  createServer((request, response) => {
    if (request.url === "/live") response.end();
    else handle(request, response);
  }).listen(port, "127.0.0.1");
}

await onAllCores(prepare, serve);
