// A proxy that does to requests and answers what the edge does, but for verifying and signing: the identity headers and
// a signature's worth of text are set, the time is bounded, and the answer names its request.
const added = {
  "x-auth-subject": "01980000-0001-7000-8000-000000000000",
  "x-auth-tenant": "00000000-0000-0000-0000-000000000001",
  "x-auth-session": "01980000-0003-7000-8000-000000000000",
  "x-auth-role": "customer",
  "x-auth-permissions": "tickets:purchase tickets:view-own tickets:transfer-own profile:update-own",
  "x-auth-acr": "aal1",
  "signature-input": `edge=("@method" "@authority" "@path" "@query" "authorization");created=1795350473;expires=1795350503;nonce="01980000-0001-7000-8000-000000000000";keyid="bench";alg="hmac-sha256";tag="portcullis-edge"`,
  signature: "edge=:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=:",
};

export default {
  async fetch(request, env) {
    const id = crypto.randomUUID();
    const headers = new Headers(request.headers);
    for (const name in added) headers.set(name, added[name]);
    headers.set("x-request-id", id);
    const target = env.UPSTREAM + request.url.slice(request.url.indexOf("/", 8));
    const late = Promise.withResolvers();
    const timer = setTimeout(late.resolve, 30_000);
    const init = { method: request.method, headers, body: request.body, redirect: "manual" };
    const response = await Promise.race([fetch(target, init), late.promise]);
    clearTimeout(timer);
    if (response === undefined) return new Response(null, { status: 504 });
    const answer = new Response(response.body, response);
    answer.headers.set("x-request-id", id);
    return answer;
  },
};
