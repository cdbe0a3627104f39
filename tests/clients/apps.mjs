// The requests of an app, through Apollo Client and urql as they come.

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { BatchHttpLink } from "@apollo/client/link/batch-http";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { createHash } from "node:crypto";
import { Client, fetchExchange } from "@urql/core";

const { url, credential } = JSON.parse(process.env.SETTINGS);
const uri = `${url}/graphql`;

const headers = { authorization: `Bearer ${credential}` };
const TYPE = gql`
  query Type($name: String!) {
    __type(name: $name) {
      name
    }
  }
`;
const NO_SUCH_FIELD = gql`
  {
    thereIsNoSuchField
  }
`;
const NO_SUCH_LEAD = gql`
  mutation {
    leadDelete(id: "00000000-0000-7000-8000-000000000000", expectedVersion: 1) {
      id
    }
  }
`;

/// Every request as it was sent, and the status of its answer.
const seen = [];
const watched = async (address, options) => {
  const answer = await fetch(address, options);
  seen.push(`${options.method} ${answer.status}`);
  return answer;
};
const seenSince = (work) => {
  const from = seen.length;
  return work().then((result) => ({ result, seen: seen.slice(from) }));
};

const failed = ({ error }) => ({
  kind: error.name,
  codes: error.errors?.map(({ extensions }) => extensions.code),
  status: error.statusCode,
});

async function apollo() {
  const defaultOptions = {
    query: { errorPolicy: "all", fetchPolicy: "no-cache" },
    mutate: { errorPolicy: "all" },
  };
  const over = (link) => new ApolloClient({ link, cache: new InMemoryCache(), defaultOptions });
  const plain = { uri, headers, fetch: watched };
  const posted = over(new HttpLink(plain));
  const got = over(new HttpLink({ ...plain, useGETForQueries: true }));
  const stranger = over(new HttpLink({ ...plain, headers: { authorization: "Bearer x" } }));
  const batched = over(new BatchHttpLink({ ...plain, batchMax: 5, batchInterval: 20 }));
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const persisted = over(
    ApolloLink.from([
      new PersistedQueryLink({ sha256, useGETForHashedQueries: true }),
      new HttpLink(plain),
    ]),
  );
  const ask = async (client, name = "Lead") =>
    (await client.query({ query: TYPE, variables: { name } })).data;
  const type = (client) => seenSince(() => ask(client));
  return {
    posted: await type(posted),
    got: await type(got),
    firstPersisted: await type(persisted),
    persisted: await type(persisted),
    batched: await seenSince(() => Promise.all([ask(batched), ask(batched, "Nothing")])),
    invalid: await seenSince(async () => failed(await posted.query({ query: NO_SUCH_FIELD }))),
    refused: await seenSince(async () => failed(await posted.mutate({ mutation: NO_SUCH_LEAD }))),
    stranger: await seenSince(async () => failed(await stranger.query({ query: NO_SUCH_FIELD }))),
  };
}

async function urql() {
  const made = (options) =>
    new Client({
      url: uri,
      exchanges: [fetchExchange],
      fetchOptions: { headers },
      fetch: watched,
      preferGetMethod: false,
      ...options,
    });
  const type = (client) =>
    seenSince(async () => (await client.query(TYPE, { name: "Lead" }).toPromise()).data);
  const codes = (asked) =>
    seenSince(async () =>
      (await asked.toPromise()).error.graphQLErrors.map(({ extensions }) => extensions.code),
    );
  const stranger = made({ fetchOptions: { headers: { authorization: "Bearer x" } } });
  const listened = () =>
    new Promise((resolve) => {
      made({ fetchSubscriptions: true })
        .subscription(gql`subscription { notificationAdded(after: "0") { cursor } }`, {})
        .subscribe(({ data, error }) => resolve(data ?? String(error)));
    });
  return {
    posted: await type(made({})),
    got: await type(made({ preferGetMethod: "force" })),
    invalid: await codes(made({}).query(NO_SUCH_FIELD, {})),
    refused: await codes(made({}).mutation(NO_SUCH_LEAD, {})),
    stranger: await codes(stranger.query(NO_SUCH_FIELD, {})),
    listened: await listened(),
  };
}

console.log(JSON.stringify({ apollo: await apollo(), urql: await urql() }));
process.exit();
