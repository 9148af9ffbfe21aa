// Gives the answer without looking at the request: the most this workerd serves here.
import { identity } from "./identity.js";

const somebody = {
  sub: "01980000-0001-7000-8000-000000000000",
  tenant_id: "00000000-0000-0000-0000-000000000001",
  sid: "01980000-0003-7000-8000-000000000000",
  role: "customer",
  permissions: ["tickets:purchase", "tickets:view-own", "tickets:transfer-own", "profile:update-own"],
  acr: "aal1",
};

export default {
  fetch() {
    return identity(somebody);
  },
};
