import { RequestError, ask, renew } from "./api";
import { graphql } from "./generated";
import type { MeQuery } from "./generated/graphql";

const ME = graphql(`
  query Me {
    me {
      user {
        fullName
      }
      tenant {
        name
        currency
      }
    }
  }
`);

export const LOGIN = graphql(`
  mutation Login($tenant: String!, $email: String!, $password: String!) {
    login(tenant: $tenant, email: $email, password: $password) {
      expiresAt
    }
  }
`);

export const LOGOUT = graphql(`
  mutation Logout {
    logout
  }
`);

export type Me = NonNullable<MeQuery["me"]>;

/** Who is signed in; nobody is null. */
export async function whoAmI(): Promise<Me | null> {
  const { data } = await ask(ME, {});
  if (data.me) return data.me;
  try {
    await renew();
  } catch (error) {
    if (error instanceof RequestError) return null;
    throw error;
  }
  return (await ask(ME, {})).data.me ?? null;
}
