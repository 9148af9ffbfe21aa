# The Worker as it is built, in workerd alone: it starts in a moment, so that a test may have one to itself.
using Workerd = import "/workerd/workerd.capnp";

const bindings :List(Workerd.Worker.Binding) = [
  (name = "POLICY", json = embed "policy.json"),
  (name = "LOG_REQUESTS", text = "all"),
  (name = "ORIGIN_URL", fromEnvironment = "ORIGIN_URL"),
  (name = "UPSTREAM_APP", fromEnvironment = "UPSTREAM_APP"),
  (name = "EDGE_SIGNING_KEYS", fromEnvironment = "EDGE_SIGNING_KEYS"),
  (name = "EDGE_SIGNING_KEY_ID", fromEnvironment = "EDGE_SIGNING_KEY_ID"),
];

const network :Workerd.Service = (name = "internet", network = (allow = ["private", "public"]));

const edge :Workerd.Config = (
  services = [
    .network,
    (name = "main", worker = (
      modules = [
        (name = "worker", esModule = embed "../../edge/entry.js"),
        (name = "build/index.js", esModule = embed "../../edge/build/index.js"),
        (name = "build/index_bg.wasm", wasm = embed "../../edge/build/index_bg.wasm"),
      ],
      bindings = .bindings,
      compatibilityDate = "2026-11-17",
    )),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);
