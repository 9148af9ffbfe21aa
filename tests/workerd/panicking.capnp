# The same with the Worker that panics where it is asked to, which only a test of that builds.
using Workerd = import "/workerd/workerd.capnp";
using Edge = import "edge.capnp";

const panicking :Workerd.Config = (
  services = [
    Edge.network,
    (name = "main", worker = (
      modules = [
        (name = "worker", esModule = embed "../../edge/entry.js"),
        (name = "build/index.js", esModule = embed "build/index.js"),
        (name = "build/index_bg.wasm", wasm = embed "build/index_bg.wasm"),
      ],
      bindings = Edge.bindings,
      compatibilityDate = "2026-11-17",
    )),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);
