// The audits of the GraphQL-over-HTTP specification, as its working group's own library has them.

import { serverAudits } from "graphql-http";

const { url, credential } = JSON.parse(process.env.SETTINGS);

const fetchFn = (address, options) => {
  const headers = new Headers(options?.headers);
  if (credential) {
    headers.set("authorization", `Bearer ${credential}`);
  }
  return fetch(address, { ...options, headers });
};

const judged = [];
for (const audit of serverAudits({ url: `${url}/graphql`, fetchFn })) {
  const { id, name, status, reason } = await audit.fn();
  judged.push({ id, name, status, reason });
}
console.log(JSON.stringify(judged));
