// Runs a server in as many processes as CORES says, which is how Node uses more than one core.
import cluster from "node:cluster";

export const port = Number(process.env.PORT);

/** `prepare` runs once and returns what the servers find in their environment; `serve` runs in each of them. */
export async function onAllCores(prepare, serve) {
  if (!cluster.isPrimary) return serve();
  const env = await prepare();
  for (let core = 0; core < Number(process.env.CORES); core += 1) cluster.fork(env);
  // A contestant that loses a server has lost: the bench notices that the port is closed.
  cluster.on("exit", () => process.exit(1));
}
