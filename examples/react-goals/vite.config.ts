import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page and the API share one origin, in development as behind a real reverse proxy: the session's
// cookies stay strict and nothing has to be allowed across origins.
const proxy = { "/graphql": process.env.PULSO_URL ?? "http://127.0.0.1:8000" };

export default defineConfig({
  plugins: [react()],
  server: { proxy },
  preview: { proxy },
});
