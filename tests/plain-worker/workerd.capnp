# The edge in plain workerd. The harness copies this beside the built Worker, the policy and the recorder.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "internet", network = (allow = ["private", "public"])),
    (name = "main", worker = (
      modules = [
        (name = "recorder.js", esModule = embed "recorder.js"),
        (name = "edge/entry.js", esModule = embed "entry.js"),
        (name = "edge/build/index.js", esModule = embed "index.js"),
        (name = "edge/build/index_bg.wasm", wasm = embed "index_bg.wasm"),
      ],
      bindings = [
        (name = "POLICY", json = embed "policy.json"),
        (name = "ORIGIN_URL", fromEnvironment = "ORIGIN_URL"),
        (name = "UPSTREAM_APP", fromEnvironment = "UPSTREAM_APP"),
        (name = "LOG_REQUESTS", fromEnvironment = "LOG_REQUESTS"),
        (name = "EDGE_SIGNING_KEY_ID", fromEnvironment = "EDGE_SIGNING_KEY_ID"),
        (name = "EDGE_SIGNING_KEYS", fromEnvironment = "EDGE_SIGNING_KEYS"),
        (name = "DATASET", fromEnvironment = "DATASET"),
      ],
      compatibilityDate = "2026-11-17",
    )),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);
