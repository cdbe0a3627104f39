import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { ask } from "./api";
import type { LoginMutationVariables } from "./generated/graphql";
import { LOGIN } from "./session";

export function SignIn() {
  const client = useQueryClient();
  const signIn = useMutation({
    mutationFn: (given: LoginMutationVariables) => ask(LOGIN, given),
    onSuccess: () => client.invalidateQueries({ queryKey: ["me"] }),
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const text = (name: string) => String(given.get(name));
    signIn.mutate({ tenant: text("tenant"), email: text("email"), password: text("password") });
  };
  return (
    <main className="sign-in">
      <form onSubmit={submit}>
        <h1>Customer goals</h1>
        <label>
          Organization
          <input name="tenant" required autoComplete="organization" defaultValue="demo" />
        </label>
        <label>
          E-mail
          <input name="email" type="email" required autoComplete="username" />
        </label>
        <label>
          Password
          <input name="password" type="password" required autoComplete="current-password" />
        </label>
        <button className="primary" disabled={signIn.isPending}>
          {signIn.isPending ? "Signing in…" : "Sign in"}
        </button>
        {signIn.isError && (
          <p className="error" role="alert">
            {signIn.error.message}
          </p>
        )}
      </form>
    </main>
  );
}
