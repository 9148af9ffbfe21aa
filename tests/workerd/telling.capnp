# The same with everything that the Worker asks for sent to one server, which finds in a header what workerd would tell
# Cloudflare of the request.
using Workerd = import "/workerd/workerd.capnp";
using Edge = import "edge.capnp";

const telling :Workerd.Config = (
  services = [
    (name = "internet", external = (http = (cfBlobHeader = "CF-Blob"))),
    (name = "main", worker = (
      modules = [
        (name = "telling.js", esModule = embed "telling.js"),
        (name = "edge/entry.js", esModule = embed "../../edge/entry.js"),
        (name = "edge/build/index.js", esModule = embed "../../edge/build/index.js"),
        (name = "edge/build/index_bg.wasm", wasm = embed "../../edge/build/index_bg.wasm"),
      ],
      bindings = Edge.bindings,
      compatibilityDate = "2026-11-17",
    )),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);
