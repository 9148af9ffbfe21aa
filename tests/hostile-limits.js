// The edge with an object in the place of the one that keeps exact limits: the first question to each object fails, and
// every other is never answered.
import { DurableObject } from "cloudflare:workers";

export { default } from "../edge/entry.js";

export class ExactLimit extends DurableObject {
  #asked = 0;

  take() {
    this.#asked += 1;
    if (this.#asked === 1) {
      throw new Error("out of order");
    }
    return new Promise(() => {});
  }
}
