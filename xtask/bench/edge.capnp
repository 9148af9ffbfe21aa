# The edge as it is built for production, on a policy of its own. Addresses are named as in bench.capnp.
using Workerd = import "/workerd/workerd.capnp";

const edge :Workerd.Config = (
  services = [
    (name = "upstream", external = (http = ())),
    (name = "main", worker = (
      modules = [
        (name = "worker", esModule = embed "../../edge/entry.js"),
        (name = "build/index.js", esModule = embed "../../edge/build/index.js"),
        (name = "build/index_bg.wasm", wasm = embed "../../edge/build/index_bg.wasm"),
      ],
      bindings = [
        (name = "POLICY", json = embed "policy.json"),
        (name = "ORIGIN_URL", text = "http://upstream.internal"),
        (name = "UPSTREAM_BENCH", text = "http://upstream.internal"),
        (name = "EDGE_SIGNING_KEY_ID", fromEnvironment = "BENCH_SIGNING_KEY_ID"),
        (name = "EDGE_SIGNING_KEYS", fromEnvironment = "BENCH_SIGNING_KEYS"),
      ],
      compatibilityDate = "2026-11-17",
      globalOutbound = "upstream",
    )),
  ],
  sockets = [(name = "http", service = "main")],
);
