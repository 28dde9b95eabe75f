// Starts programs, keeps what they say, knows when they are ready, and stops them by their pid.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

const READY_MS = 30_000;
const STOP_MS = 10_000;

/** A port of the loopback interface that is free now. */
export async function freePort() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** A program that keeps running. */
export class Service {
  #child;
  #output = [];

  /** Starts `command` and waits until `readyUrl` answers with a success. */
  static async start(name, command, args, { env = {}, cwd, readyUrl }) {
    const service = new Service(name);
    service.#child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [service.#child.stdout, service.#child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => service.#output.push(text));
    }
    service.#child.on("error", (error) => service.#output.push(String(error)));
    await service.#untilReady(readyUrl);
    return service;
  }

  constructor(name) {
    this.name = name;
  }

  /** Everything that it has written. */
  get output() {
    return this.#output.join("");
  }

  async #untilReady(url) {
    const deadline = Date.now() + READY_MS;
    while (Date.now() < deadline) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) break;
      try {
        const answer = await fetch(url, { signal: AbortSignal.timeout(2000) });
        await answer.arrayBuffer();
        if (answer.ok) return;
      } catch {
        // Not listening yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await this.stop();
    throw new Error(`${this.name} did not become ready at ${url}:\n${this.output}`);
  }

  /** Asks it to stop, and insists when it does not. Returns whether it stopped by itself. */
  async stop() {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return true;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const insist = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await exited;
    clearTimeout(insist);
    return child.signalCode !== "SIGKILL";
  }
}

/** Runs a program to its end and returns its standard output. */
export async function run(command, args, { env = {}, cwd } = {}) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
  const [code] = await once(child, "close");
  if (code !== 0) {
    throw new Error(`${command} ${args.join(" ")} failed (${code}):\n${errors}${output}`);
  }
  return output;
}
