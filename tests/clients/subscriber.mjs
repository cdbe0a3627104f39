// Listens to notifications with graphql-ws or graphql-sse, as an app does: it connects again by itself
// and goes on after the last cursor it was given. It prints what happens, a line each, and reads where
// the server has gone and what the credential has become.

import { createInterface } from "node:readline";
import { createClient as eventClient } from "graphql-sse";
import { createClient as socketClient } from "graphql-ws";

let { transport, url, credential } = JSON.parse(process.env.SETTINGS);
const say = (what) => console.log(JSON.stringify(what));
const authorization = () => ({ authorization: `Bearer ${credential}` });
const soon = () => new Promise((resolve) => setTimeout(resolve, 100));

const clients = {
  socket: () =>
    socketClient({
      url: () => `${url.replace("http", "ws")}/graphql/ws`,
      connectionParams: authorization,
      retryAttempts: Infinity,
      retryWait: soon,
      // A server that is not there is an error and not a close.
      shouldRetry: () => true,
      on: { closed: ({ code, reason }) => code !== 1006 && say({ closed: [code, reason] }) },
    }),
  events: () =>
    eventClient({
      url: () => `${url}/graphql`,
      headers: authorization,
      retryAttempts: Infinity,
      retry: soon,
    }),
};
const client = clients[transport]();

const request = {
  query: "subscription($after: String) { notificationAdded(after: $after) { cursor } }",
  variables: { after: "0" },
};
client.subscribe(request, {
  next: ({ data, errors }) => {
    if (errors) {
      say({ errors: errors.map((error) => error.extensions.code) });
      return;
    }
    const { cursor } = data.notificationAdded;
    // Both libraries send the request as it is then when they connect again.
    request.variables.after = cursor;
    say({ cursor });
  },
  error: (error) => say({ error: String(error.message ?? error.reason ?? JSON.stringify(error)) }),
  complete: () => say({ complete: true }),
});

createInterface({ input: process.stdin })
  .on("line", (line) => ({ url = url, credential = credential } = JSON.parse(line)))
  .on("close", () => process.exit());
