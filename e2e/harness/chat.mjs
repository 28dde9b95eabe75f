// What a person sees of a chat and does in it, by roles and visible texts.

/** The chat element of a page; `within` narrows it down where a page has several. */
export function chatOn(page, within = page) {
  const element = within.locator("openai-chatkit");
  const log = element.getByRole("log");
  const answers = log.getByRole("article").filter({ hasText: "Assistant said:" });
  const button = (name) => element.getByRole("button", { name });
  return {
    element,
    log,
    answers,
    button,
    input: element.getByRole("textbox").first(),
    alert: element.getByRole("alert"),

    /** All the text that the element shows. (The element itself has none: its text is in its shadow tree.) */
    text: () => element.locator("section").first().innerText(),

    /** Waits until messages can be written. */
    async ready() {
      await element.getByRole("textbox").first().waitFor();
    },

    /** Sends a message and waits for the whole answer; returns the answer's text. */
    async say(text) {
      const before = await answers.count();
      await this.input.fill(text);
      await this.input.press("Enter");
      await answers.nth(before).waitFor();
      await this.idle();
      const all = await answers.allInnerTexts();
      return all.slice(before).join("\n");
    },

    /** Asks for something that takes consent, decides ("Allow" or "Refuse"), and returns what is said then. */
    async decide(text, decision) {
      const before = await answers.count();
      await this.input.fill(text);
      await this.input.press("Enter");
      await button(decision).click();
      await answers.nth(before).waitFor();
      await this.idle();
      return (await answers.allInnerTexts()).slice(before).join("\n");
    },

    /** Waits until nothing is being answered. */
    async idle() {
      await element.locator('[role="log"][aria-busy="false"]').waitFor();
    },

    /** Opens the history, which stands beside a wide chat and covers a narrow one; its button would close one that is open. */
    async openHistory() {
      const history = element.getByRole("region", { name: "History" });
      if ((await history.count()) === 0) await button("History").click();
      await history.waitFor();
    },

    /** Closes the history: a button beside a wide chat, the way back from a narrow one. */
    async closeHistory() {
      await button(/^(Back to the conversation|History)$/).click();
      await element.getByRole("region", { name: "History" }).waitFor({ state: "detached" });
    },

    /** Opens the history, waits until it holds `count` conversations, and returns their titles. */
    async historyTitles(count) {
      await this.openHistory();
      const titles = element.locator(".history-open");
      await (count === 0 ? element.getByText("No conversations yet") : titles.nth(count - 1)).waitFor();
      return titles.allInnerTexts();
    },

    /** Opens a conversation of the history by its title. */
    async openFromHistory(title) {
      await this.openHistory();
      await element.locator(".history-open", { hasText: title }).first().click();
      await log.waitFor();
    },
  };
}
