import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { RequestError } from "./api";
import "./style.css";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // A page that is looked at again asks again: what the server keeps makes that cheap.
      refetchOnWindowFocus: "always",
      // What the server refused, it refuses again.
      retry: (failures, error) => failures < 2 && !(error instanceof RequestError),
    },
  },
});

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
