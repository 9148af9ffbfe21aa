// The edge with a stand-in for its dataset of Analytics Engine, whose points can be asked for.
import edge from "edge/entry.js";

const points = [];

const datasets = {
  recording: {
    writeDataPoint(point) {
      points.push(point);
    },
  },
  failing: {
    writeDataPoint() {
      throw new Error("the dataset takes no points");
    },
  },
};

export default {
  fetch(request, env, ctx) {
    if (new URL(request.url).pathname === "/recorded-points") {
      return Response.json(points, { headers: { "x-request-id": "recorder" } });
    }
    return edge.fetch(request, { ...env, ANALYTICS: datasets[env.DATASET] }, ctx);
  },
};
