// Operations through graphql-ws and graphql-sse, and what the libraries make of the answers.

import { createClient as eventClient } from "graphql-sse";
import { createClient as socketClient } from "graphql-ws";

const { url, credential } = JSON.parse(process.env.SETTINGS);

const socket = (options) =>
  socketClient({ url: `${url.replace("http", "ws")}/graphql/ws`, retryAttempts: 0, ...options });
const events = (options) => eventClient({ url: `${url}/graphql`, retryAttempts: 0, ...options });

/// What an operation was answered, and how it ended.
const run = (client, request) =>
  new Promise((resolve) => {
    const answers = [];
    client.subscribe(request, {
      next: ({ data, errors }) => answers.push(data ?? errors.map(({ extensions }) => extensions.code)),
      error: (error) => {
        const codes = Array.isArray(error) && error.map(({ extensions }) => extensions.code);
        resolve({ answers, error: codes || error.code || error.response?.status || String(error) });
      },
      complete: () => resolve({ answers }),
    });
  });

const authorization = `Bearer ${credential}`;
const typename = { query: "{ __typename }" };
const told = {};
for (const [name, client] of Object.entries({
  socket: socket({ connectionParams: { authorization } }),
  events: events({ headers: { authorization } }),
})) {
  told[name] = {
    query: await run(client, {
      query: "query Type($name: String!) { __type(name: $name) { name } }",
      operationName: "Type",
      variables: { name: "Query" },
    }),
    atOnce: await Promise.all([run(client, typename), run(client, typename)]),
    mutation: await run(client, { query: 'mutation { leadDelete(id: "0") { id } }' }),
    unreadable: await run(client, { query: "{" }),
    // Neither database can hold it.
    nul: await run(client, { ...typename, variables: { a: "\u0000" } }),
    afterwards: await run(client, typename),
  };
  client.dispose();
}
const listening = { query: "subscription { notificationAdded { cursor } }" };
told.socket.nobody = await run(socket({}), listening);
told.events.nobody = await run(events({}), listening);
told.socket.wrong = await run(socket({ connectionParams: { authorization: "Bearer x" } }), typename);
told.events.wrong = await run(events({ headers: { authorization: "Bearer x" } }), typename);

// The client asks whether the server is still there.
told.pong = await new Promise((resolve) => {
  const on = { pong: (received) => received && resolve(true) };
  socket({ lazy: false, keepAlive: 50, on });
});
console.log(JSON.stringify(told));
process.exit();
