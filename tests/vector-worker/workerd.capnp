# Serves the built Worker with plain workerd. The socket's address is given on the command line.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [ (name = "vectors", worker = .vectors) ],
  sockets = [ (name = "http", http = (), service = "vectors") ],
);

const vectors :Workerd.Worker = (
  modules = [
    (name = "worker", esModule = embed "build/index.js"),
    (name = "./index_bg.wasm", wasm = embed "build/index_bg.wasm"),
  ],
  compatibilityDate = "2026-11-01",
);
