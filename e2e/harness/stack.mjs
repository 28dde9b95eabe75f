// Everything that a person's browser talks to, started for real on free ports:
//   the task list (MCP), Vestibule, and the React example with its Better Auth server.
import { existsSync, statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { freePort, run, Service } from "./process.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const EXAMPLE = join(ROOT, "examples/react-better-auth");
/** How long Vestibule waits at most before it asks a login server again that did not answer. */
const LONGEST_PAUSE_MS = 60_000;

/** The page's origins besides localhost. The browser is told that both are this machine. */
export const REGISTERED_LATER = "app.example.test";
export const NEVER_REGISTERED = "shop.example.test";

/** A program of the workspace: the newest build, or the one that an environment variable names. */
export function binary(name, variable) {
  const named = process.env[variable];
  if (named) return named;
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
  const [found] = ["release", "debug"]
    .map((profile) => join(target, profile, name))
    .filter((path) => existsSync(path))
    .sort((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs);
  if (!found) {
    throw new Error(`${name} is not built: run cargo build --release, or name the program in ${variable}`);
  }
  return found;
}

const vestibule = () => binary("vestibule", "VESTIBULE_BIN");

export class Stack {
  #services = [];
  #folder;

  static async start() {
    const stack = new Stack();
    try {
      await stack.#start();
    } catch (error) {
      await stack.stop();
      throw error;
    }
    return stack;
  }

  async #start() {
    this.#folder = await mkdtemp(join(tmpdir(), "vestibule-e2e-"));
    const [appPort, authPort, chatPort, todoPort] = await Promise.all([1, 2, 3, 4].map(freePort));
    this.appUrl = `http://localhost:${appPort}`;
    this.chatUrl = `http://localhost:${chatPort}`;
    this.originOn = (host) => `http://${host}:${appPort}`;

    const todoUrl = `http://127.0.0.1:${todoPort}/mcp`;
    await this.#service("todo-mcp", binary("todo-mcp", "TODO_MCP_BIN"), [], {
      env: {
        TODO_MCP_LISTEN: `127.0.0.1:${todoPort}`,
        TODO_MCP_URL: todoUrl,
        TODO_MCP_DATABASE: join(this.#folder, "todo.db"),
        VESTIBULE_URL: this.chatUrl,
        BETTER_AUTH_URL: this.appUrl,
      },
      readyUrl: `http://127.0.0.1:${todoPort}/healthz`,
    });

    this.config = join(this.#folder, "vestibule.toml");
    await writeFile(this.config, configuration({ chatPort, folder: this.#folder, todoUrl, ...this }));
    await this.#service("vestibule", vestibule(), ["serve", "--config", this.config], {
      cwd: this.#folder,
      // It is ready once it has the keys of the login server, which starts later here.
      readyUrl: `${this.chatUrl}/healthz`,
    });

    const token = await this.cli("token", "create", "--origin", this.appUrl, "--env", "test");
    const domain = await this.cli("domain", "add", this.appUrl, "--env", "test");
    await run(process.execPath, [join(EXAMPLE, "node_modules/vite/bin/vite.js"), "build"], {
      cwd: EXAMPLE,
      env: {
        VITE_VESTIBULE_URL: this.chatUrl,
        VITE_PUBLIC_TOKEN: token.token,
        VITE_DOMAIN_KEY: domain.domain_key,
      },
    });
    await this.#service("react-better-auth", process.execPath, ["server/start.mjs"], {
      cwd: EXAMPLE,
      env: {
        PORT: String(appPort),
        AUTH_PORT: String(authPort),
        TODO_URL: `http://127.0.0.1:${todoPort}`,
        TRUSTED_ORIGINS: [REGISTERED_LATER, NEVER_REGISTERED].map(this.originOn).join(","),
      },
      readyUrl: `${this.appUrl}/api/auth/jwks`,
    });
    await this.#loginServerIsKnown();
  }

  /** Vestibule asked for the login server's keys when that was not there yet, and asks again after a pause. */
  async #loginServerIsKnown() {
    const deadline = Date.now() + LONGEST_PAUSE_MS;
    for (;;) {
      const answer = await fetch(`${this.chatUrl}/readyz`);
      if (answer.ok) return;
      const text = await answer.text();
      if (Date.now() > deadline) throw new Error(`Vestibule is not ready: ${text}\n${this.logs}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async #service(name, command, args, options) {
    this.#services.push(await Service.start(name, command, args, options));
  }

  /** Runs a command of `vestibule` beside the running server and returns its JSON. */
  async cli(...args) {
    return JSON.parse(await run(vestibule(), [...args, "--config", this.config, "--json"], { cwd: this.#folder }));
  }

  /** What the services have written, for a failing run. */
  get logs() {
    return this.#services.map((service) => `--- ${service.name}\n${service.output}`).join("\n");
  }

  /** Stops everything, last one first. Returns the names of those that had to be killed. */
  async stop() {
    const stubborn = [];
    for (const service of this.#services.reverse()) {
      if (!(await service.stop())) stubborn.push(service.name);
    }
    this.#services = [];
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
    return stubborn;
  }
}

/** Vestibule with nothing but `--dev`, as a newcomer starts it. */
export async function startDevelopmentServer() {
  const folder = await mkdtemp(join(tmpdir(), "vestibule-dev-"));
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const service = await Service.start("vestibule --dev", vestibule(), ["serve", "--dev", "--listen", `127.0.0.1:${port}`], {
    cwd: folder,
    env: { VESTIBULE_PUBLIC_URL: url },
    readyUrl: `${url}/readyz`,
  });
  return {
    url,
    get output() {
      return service.output;
    },
    async stop() {
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configuration({ chatPort, folder, todoUrl, appUrl, chatUrl }) {
  const text = JSON.stringify; // a JSON string is a TOML string
  return `
[server]
listen = "127.0.0.1:${chatPort}"
public_url = ${text(chatUrl)}
signing_key_file = ${text(join(folder, "signing.key"))}

[storage]
url = ${text(`sqlite://${join(folder, "vestibule.db")}`)}

[[issuers]]
preset = "better-auth"
url = ${text(appUrl)}
environment = "test"

[[models]]
id = "demo"
kind = "demo"

[[mcp_servers]]
name = "todo"
url = ${text(todoUrl)}

[[workflows]]
id = "wf_tasks"
instructions = "You keep the user's task list with the tools you have."
model = "demo"
tools = ["todo"]

[[workflows]]
id = "wf_interrupt"
model = "demo"
busy = "interrupt"

[[workflows]]
id = "wf_reject"
model = "demo"
busy = "reject"
`;
}
