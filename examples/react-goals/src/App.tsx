import { useQuery } from "@tanstack/react-query";
import { SignIn } from "./SignIn";
import { GoalsPage } from "./goals/GoalsPage";
import { whoAmI } from "./session";

export function App() {
  const me = useQuery({ queryKey: ["me"], queryFn: whoAmI });
  if (me.isPending) return <p className="notice">Loading…</p>;
  if (me.isError) {
    return (
      <p className="notice error" role="alert">
        {me.error.message} <button onClick={() => void me.refetch()}>Try again</button>
      </p>
    );
  }
  return me.data ? <GoalsPage me={me.data} /> : <SignIn />;
}
