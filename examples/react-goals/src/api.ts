import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql/language/printer";

/** What the server refused, in its own words. */
export class RequestError extends Error {
  constructor(
    message: string,
    readonly code: string,
    /** The argument that it is about. */
    readonly field?: string,
  ) {
    super(message);
  }
}

export type Tier = "static" | "annual" | "live";

/** Where a tier's part of an answer came from. */
export interface TierState {
  found: "HIT" | "MISS" | "BYPASS";
  ageSeconds: number;
  ttlSeconds: number;
}

export interface Answer<Data> {
  data: Data;
  tiers: Partial<Record<Tier, TierState>>;
  receivedAt: number;
}

interface Body<Data> {
  data?: Data | null;
  errors?: { message: string; extensions?: { code?: string; field?: string } }[];
  extensions?: { cache?: Partial<Record<Tier, TierState>> };
}

/** One operation. A session whose access ended meanwhile is renewed, once. */
export async function ask<Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Answer<Data>> {
  const query = print(document);
  try {
    return await send<Data>(query, variables);
  } catch (error) {
    const ended = error instanceof RequestError && error.code === "UNAUTHENTICATED";
    if (!ended || query.includes("login(")) throw error;
    await renew();
    return send<Data>(query, variables);
  }
}

let renewing: Promise<unknown> | undefined;

/** Many who find the session ended renew it together. */
export function renew(): Promise<unknown> {
  renewing ??= send("mutation { sessionRefresh { expiresAt } }").finally(() => {
    renewing = undefined;
  });
  return renewing;
}

async function send<Data>(query: string, variables?: unknown): Promise<Answer<Data>> {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/json",
      // The tokens stay in cookies that no script can read.
      "X-Session-Mode": "cookie",
    },
    body: JSON.stringify({ query, variables }),
  });
  const body = (await response.json().catch(() => {
    throw new Error("The server does not answer. Is it running?");
  })) as Body<Data>;
  const refusal = body.errors?.[0];
  if (refusal) {
    const { code = "", field } = refusal.extensions ?? {};
    throw new RequestError(refusal.message, code, field);
  }
  if (!body.data) throw new Error(`The server answered with status ${response.status}.`);
  return { data: body.data, tiers: body.extensions?.cache ?? {}, receivedAt: Date.now() };
}
