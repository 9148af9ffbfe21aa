// What asks the keepers of limits, and tells the client what they said: one call from Rust for each.
//
// Nothing is decided here: what a count means, and what is told of it, comes from Rust.

/** Whether one more request of `key` is within the limit of the platform's rate limiter. */
export async function askLimiter(limiter, key) {
  const { success } = await limiter.limit({ key });
  return success;
}

/**
 * What the object of this name says to one more request; `undefined` where it says nothing in `milliseconds`.
 */
export async function askObject(namespace, name, limit, windowSeconds, milliseconds) {
  let timer;
  const over = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    return await Promise.race([namespace.getByName(name).take(limit, windowSeconds), over]);
  } finally {
    clearTimeout(timer);
  }
}

/** Adds what limits say to a response, after what its upstream says of its own: each of the two fields is a list. */
export function announce(response, policy, count) {
  response.headers.append("ratelimit-policy", policy);
  if (count !== undefined) response.headers.append("ratelimit", count);
  return response;
}

/** The same for the promise of a response. */
export function announceLater(response, policy, count) {
  return response.then((own) => announce(own, policy, count));
}
