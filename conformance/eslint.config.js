// The recommended rules, for Node.
import js from "@eslint/js";
import { defineConfig } from "eslint/config";

const globals = ["Buffer", "console", "process", "URL"];

export default defineConfig(js.configs.recommended, {
  languageOptions: { globals: Object.fromEntries(globals.map((name) => [name, "readonly"])) },
});
