// What is done to a request and to its response in one go. Each call from Rust into the platform costs about as much as a
// lookup in the route table, and a request that is forwarded would need forty of them.
//
// Nothing is decided here: what to remove, what to set and what to answer comes from Rust.

// What Cloudflare's cache is told of everything that is asked for: to look for nothing and to keep nothing. It knows an answer by
// its URL alone, whoever it was made for. These are the words of `cache: "no-store"`, without the request headers that option
// adds (docs/decisions/0029).
const cf = { cacheTtl: -1, cacheLevel: "bypass" };

/** Sends a request of the edge's own; a GET where `init` does not say otherwise. */
export function ask(url, init) {
  return fetch(url, { ...init, cf });
}

function setAll(headers, texts) {
  for (let at = 0; at + 1 < texts.length; at += 2) headers.set(texts[at], texts[at + 1]);
}

function addMissing(headers, texts) {
  for (let at = 0; at + 1 < texts.length; at += 2) if (!headers.has(texts[at])) headers.set(texts[at], texts[at + 1]);
}

function removeAll(headers, names) {
  for (const name of names) headers.delete(name);
}

/** The parts of a text between its line breaks. */
export function lines(text) {
  return text.split("\n");
}

/** A response of the edge's own. Headers are cheaper to set on it than to hand over with it. */
export function answer(status, headers, body) {
  const own = new Response(body, { status });
  setAll(own.headers, headers.split("\n"));
  return own;
}

/** The names of all headers, in lower case, parted by commas. */
export function headerNames(headers) {
  return Array.from(headers.keys()).join(",");
}

/**
 * What the responses of a route lose and get: `removed` and `notTheirs` are names parted by commas, `added` and `overHttps`
 * names and values in turn, parted by line breaks. `exposed` is what a page of another origin may read, `undefined` where
 * that is left to the upstream. `namedBy` says which headers a `Connection` header names, parted by commas.
 */
export function additions(removed, added, overHttps, notTheirs, exposed, credentials, namedBy) {
  return {
    removed: removed.split(","),
    added: lines(added),
    overHttps: lines(overHttps),
    notTheirs: notTheirs.split(","),
    exposed,
    credentials,
    namedBy,
  };
}

/** What the end of a request needs, kept here while the upstream is waited for. */
export function keep(requestId, trace, began, cookies, origin, isSecure, isPersonal, additions, shadow) {
  return { requestId, trace, began, cookies, origin, isSecure, isPersonal, additions, shadow };
}

/**
 * Sends `request` to `url`: the same method and body, and the same headers but for `removed` (names parted by commas), and
 * for those that are set: `identity` (names and values in turn) and `own` (the same as one text, parted by line breaks,
 * which no header holds). Redirects are the client's to follow.
 *
 * What comes of it is handed on once, after `kept`: to `answered` the response, or `undefined` where its headers did not
 * come in `milliseconds`; to `failed` nothing, where there was no response.
 */
export function send(request, headers, url, removed, identity, own, milliseconds, answered, failed, kept) {
  const forwarded = new Headers(headers);
  if (removed !== "") removeAll(forwarded, removed.split(","));
  setAll(forwarded, identity);
  setAll(forwarded, own.split("\n"));
  const sent = fetch(...target(request, url, forwarded));
  const outcome = new Promise((resolve) => {
    // A timer that is left to the end of its request costs a tenth of forwarding it.
    const timer = setTimeout(resolve, milliseconds);
    const settle = (outcome) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    sent.then(settle, () => settle(null));
  });
  return outcome.then((response) => (response === null ? failed(kept) : answered(kept, response)));
}

/** The arguments of `fetch`. A GET with a body can be sent on as a copy of its request only, which costs more. */
function target(request, url, headers) {
  const { method, body } = request;
  return body !== null && (method === "GET" || method === "HEAD")
    ? [new Request(url, request), { headers, redirect: "manual", cf }]
    : [url, { method, headers, body, redirect: "manual", cf }];
}

/** The upstream's response as the client gets it, but for cookies: it names its request, and obeys its route. */
export function reply(response, kept) {
  const own = new Response(response.body, response);
  // What opens a WebSocket is no answer that a browser would show or keep.
  if (own.status !== 101) finish(own.headers, kept, kept.additions);
  // Last, because the upstream's `Connection` may have named it.
  own.headers.set("x-request-id", kept.requestId);
  return own;
}

function finish(headers, { origin, isSecure, isPersonal }, { removed, added, overHttps, notTheirs, exposed, credentials, namedBy }) {
  const connection = headers.get("connection");
  const named = connection === null ? "" : namedBy(connection);
  if (named !== "") removeAll(headers, named.split(","));
  removeAll(headers, removed);
  addMissing(headers, added);
  if (isSecure) addMissing(headers, overHttps);
  // Whose answer it is may stand in a cookie, of which caches know nothing.
  if (isPersonal) addMissing(headers, ["cache-control", "private"]);
  if (exposed === undefined) return;
  removeAll(headers, notTheirs);
  headers.append("vary", "Origin");
  if (origin === undefined) return;
  headers.set("access-control-allow-origin", origin);
  headers.set("access-control-expose-headers", exposed);
  if (credentials) headers.set("access-control-allow-credentials", "true");
}
