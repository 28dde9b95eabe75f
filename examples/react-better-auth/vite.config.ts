// Nothing but React; ports and the way to the login server are in server/start.mjs.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({ plugins: [react()] });
