// The little of WebDriver (W3C) that a journey in WebKit needs. No library: those that are kept ask for a newer
// Node, or drive browsers of their own making.

/** A session of a driver at `base`; every call throws what the driver says. */
export async function openSession(base, capabilities) {
  const call = async (method, path, body) => {
    const answer = await fetch(`${base}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(90_000),
    });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${value?.error}: ${value?.message}`);
    return value;
  };
  const { sessionId } = await call("POST", "/session", { capabilities: { alwaysMatch: capabilities } });
  const session = `/session/${sessionId}`;
  const idOf = (reference) => Object.values(reference)[0];
  return {
    visit: (url) => call("POST", `${session}/url`, { url }),
    reload: () => call("POST", `${session}/refresh`, {}),
    /** What an expression in the page gives. */
    read: (expression) => call("POST", `${session}/execute/sync`, { script: `return ${expression}`, args: [] }),

    /** Waits until an expression in the page is true. */
    async until(expression, timeout = 40_000) {
      const end = Date.now() + timeout;
      while (!(await this.read(expression))) {
        if (Date.now() > end) throw new Error(`never became true: ${expression}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },

    /** Types into an element inside an open shadow tree. */
    async type(host, selector, text) {
      const found = await call("POST", `${session}/element`, { using: "css selector", value: host });
      const root = await call("GET", `${session}/element/${idOf(found)}/shadow`);
      const inside = await call("POST", `${session}/shadow/${idOf(root)}/element`, { using: "css selector", value: selector });
      await call("POST", `${session}/element/${idOf(inside)}/value`, { text });
    },
    close: () => call("DELETE", session),
  };
}

/** The Enter key. */
export const ENTER = "\uE007";
