// What is done to a request and to its response in one go. Each call from Rust into the platform costs about as much as a
// lookup in the route table, and a request that is forwarded would need forty of them.
//
// Nothing is decided here: what to remove, what to set and what to answer comes from Rust.

function setAll(headers, texts) {
  for (let at = 0; at + 1 < texts.length; at += 2) headers.set(texts[at], texts[at + 1]);
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
 * Sends `request` to `url`: the same method and body, and the same headers but for `removed` (names parted by commas), and
 * for those that are set: `identity` (names and values in turn) and `own` (the same as one text, parted by line breaks,
 * which no header holds). Redirects are the client's to follow.
 *
 * What comes of it is handed on once, with what follows them before it: to `answered` the response, or `undefined` where its headers
 * did not come in `milliseconds`; to `failed` nothing, where there was no response.
 */
export function send(
  request, headers, url, removed, identity, own, milliseconds, answered, failed,
  requestId, route, began, cookies, origin, isSecure,
) {
  const forwarded = new Headers(headers);
  if (removed !== "") for (const name of removed.split(",")) forwarded.delete(name);
  setAll(forwarded, identity);
  setAll(forwarded, own.split("\n"));
  const sent = fetch(url, { method: request.method, headers: forwarded, body: request.body, redirect: "manual" });
  const outcome = new Promise((resolve) => {
    // A timer that is left to the end of its request costs a tenth of forwarding it.
    const timer = setTimeout(resolve, milliseconds);
    const settle = (outcome) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    sent.then(settle, () => settle(null));
  });
  return outcome.then((response) =>
    response === null
      ? failed(requestId, route, began, cookies, origin, isSecure)
      : answered(requestId, route, began, cookies, origin, isSecure, response),
  );
}

/** The upstream's response as the client gets it: its headers may be changed, and it names its request. */
export function reply(response, requestId) {
  const own = new Response(response.body, response);
  own.headers.set("x-request-id", requestId);
  return own;
}
