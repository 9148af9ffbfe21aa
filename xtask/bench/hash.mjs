// Hashes with @node-rs/argon2 for SECONDS, CONCURRENCY at a time; prints how many and how long, as JSON.
import { hash } from "@node-rs/argon2";

const [seconds, concurrency] = process.argv.slice(2).map(Number);
const cost = { algorithm: 2, memoryCost: 65536, timeCost: 3, parallelism: 4 };
let hashes = 0;
let started = 0;
let deadline = Infinity;

async function lane() {
  while (performance.now() < deadline) {
    await hash("correct horse battery staple", cost);
    hashes += 1;
  }
}

await Promise.all(Array.from({ length: concurrency }, () => hash("warm-up", cost)));
started = performance.now();
deadline = started + seconds * 1000;
await Promise.all(Array.from({ length: concurrency }, lane));
console.log(JSON.stringify({ hashes, seconds: (performance.now() - started) / 1000 }));
