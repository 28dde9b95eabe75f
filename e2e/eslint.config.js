// The recommended rules, for Node and for what runs inside pages.
import js from "@eslint/js";
import { defineConfig } from "eslint/config";

const globals = ["clearTimeout", "process", "console", "fetch", "URL", "AbortSignal", "setTimeout", "document", "window", "axe"];

export default defineConfig(js.configs.recommended, {
  languageOptions: { globals: Object.fromEntries(globals.map((name) => [name, "readonly"])) },
});
