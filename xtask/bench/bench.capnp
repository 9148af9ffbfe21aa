# The contestants, one constant each: `workerd serve bench.capnp noop --socket-addr http=127.0.0.1:PORT …`.
# `cargo xtask bench` bundles the modules into build/ and names the addresses; nothing here listens by itself.
using Workerd = import "/workerd/workerd.capnp";

const compatibilityDate :Text = "2026-11-17";
const upstreamUrl :Text = "http://upstream.internal";
const upstream :Workerd.Service = (name = "upstream", external = (http = ()));
const http :List(Workerd.Socket) = [(name = "http", service = "main")];

const noop :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "main", esModule = embed "build/noop.js")],
    compatibilityDate = .compatibilityDate,
  ))],
  sockets = .http,
);

const jose :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "main", esModule = embed "build/jose.js")],
    bindings = [(name = "JWKS", fromEnvironment = "BENCH_JWKS")],
    compatibilityDate = .compatibilityDate,
  ))],
  sockets = .http,
);

const proxy :Workerd.Config = (
  services = [.upstream, (name = "main", worker = (
    modules = [(name = "main", esModule = embed "build/proxy.js")],
    bindings = [(name = "UPSTREAM", text = .upstreamUrl)],
    compatibilityDate = .compatibilityDate,
    globalOutbound = "upstream",
  ))],
  sockets = .http,
);

const joseProxy :Workerd.Config = (
  services = [.upstream, (name = "main", worker = (
    modules = [(name = "main", esModule = embed "build/jose-proxy.js")],
    bindings = [(name = "UPSTREAM", text = .upstreamUrl), (name = "JWKS", fromEnvironment = "BENCH_JWKS")],
    compatibilityDate = .compatibilityDate,
    globalOutbound = "upstream",
  ))],
  sockets = .http,
);

const headerProxy :Workerd.Config = (
  services = [.upstream, (name = "main", worker = (
    modules = [(name = "main", esModule = embed "build/header-proxy.js")],
    bindings = [(name = "UPSTREAM", text = .upstreamUrl)],
    compatibilityDate = .compatibilityDate,
    globalOutbound = "upstream",
  ))],
  sockets = .http,
);
