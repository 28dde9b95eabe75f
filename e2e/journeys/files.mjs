// Files: attached, seen, taken out, sent and still there after a reload; refused in words where they are not taken.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";

import { readyChat, signUp, visit } from "../harness/app.mjs";
import { newPerson } from "../harness/browser.mjs";
import { chatOn } from "../harness/chat.mjs";
import { startHostedApp } from "../harness/hosted-app.mjs";
import { seriousFindings } from "./accessibility.mjs";

/** A picture of 16 × 16 points. */
const PICTURE = {
  name: "plan.png",
  mimeType: "image/png",
  buffer: Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAJElEQVR42mP4dUYUjvzdnsIRLnGGQaiBGEXI4oNRw2g8DAoNAGTTqpAAN9V2AAAAAElFTkSuQmCC",
    "base64",
  ),
};
const LIST = { name: "list.txt", mimeType: "text/plain", buffer: Buffer.from("milk\nbread\n") };
const SPARE = { name: "spare.txt", mimeType: "text/plain", buffer: Buffer.from("not needed\n") };
const PROGRAM = { name: "setup.exe", mimeType: "application/x-msdownload", buffer: Buffer.from("MZ") };

/** What of a chat is about files. */
function filesOf(chat) {
  const drafts = chat.element.getByRole("list", { name: "Attached files" }).and(chat.element.locator(".drafts"));
  return {
    choose: (...files) => chat.element.locator("input[type=file]").setInputFiles(files),
    draft: (name) => drafts.getByRole("listitem").filter({ hasText: name }),
    uploaded: (name) => chat.element.locator(".draft.done", { hasText: name }).waitFor(),
  };
}

/** Waits until a message shows the picture with its points, and the list by its name. */
async function seesBoth(chat) {
  const picture = chat.log.getByRole("img", { name: "Attachment plan.png" });
  await picture.waitFor();
  await picture.evaluate((image) => image.decode());
  assert.equal(await picture.evaluate((image) => image.naturalWidth), 16);
  await chat.log.getByRole("list", { name: "Attached files" }).getByText("list.txt", { exact: true }).waitFor();
}

export function fileJourneys({ stack, browser }) {
  for (const [door, way] of [
    ["secret", "in a form"],
    ["custom", "in two phases"],
  ]) {
    test(`a person attaches a picture and a text ${way}, and both are there after a reload (${door})`, async () => {
      const { context, page, problems } = await newPerson(browser());
      const uploads = [];
      page.on("request", (request) => {
        if (/\/files/.test(request.url()) && !["GET", "OPTIONS"].includes(request.method())) {
          uploads.push(`${request.method()} ${new URL(request.url()).pathname.replace(/\/att\w+|\/cfile\w+/, "/ID")}`);
        }
      });
      await visit(page, stack().appUrl, door);
      await signUp(page, "Lise");
      const chat = await readyChat(page);
      const files = filesOf(chat);

      // While the bytes are on their way, there is a bar, and the message waits.
      let release;
      const held = new Promise((resolve) => (release = resolve));
      await page.route(/\/v1\/chatkit\/files/, async (route) => {
        await held;
        await route.continue();
      });
      await files.choose(PICTURE, LIST, SPARE);
      await chat.element.getByRole("progressbar", { name: "Uploading plan.png" }).waitFor();
      await chat.input.fill("what is this?");
      assert.ok(await chat.button("Send message").isDisabled());
      assert.deepEqual(await seriousFindings(page), [], "uploading");
      release();
      for (const { name } of [PICTURE, LIST, SPARE]) await files.uploaded(name);
      assert.deepEqual(uploads.toSorted(), door === "secret" ? Array(3).fill("POST /v1/chatkit/files") : Array(3).fill("PUT /v1/chatkit/files/ID/content"));

      // One too many: it is taken out, and the server forgets it.
      const forgotten = page.waitForResponse((response) => response.request().postData()?.includes("attachments.delete") ?? false);
      await chat.button("Remove spare.txt").click();
      assert.equal((await forgotten).status(), 200);
      assert.equal(await files.draft("spare.txt").count(), 0);

      // What is not taken is said at once, and nothing goes out.
      await files.choose(PROGRAM);
      await chat.alert.filter({ hasText: "This kind of file cannot be attached here: setup.exe" }).waitFor();
      assert.deepEqual(await seriousFindings(page), [], "attached");
      await chat.button("Dismiss").click();

      const answer = await chat.say("what is this?");
      assert.match(answer, /plan\.png.*image\/png.*an image/);
      assert.match(answer, /list\.txt.*text\/plain.*2 lines of text/);
      assert.doesNotMatch(answer, /spare\.txt/);
      await seesBoth(chat);
      assert.deepEqual(await seriousFindings(page), [], "sent");

      await page.reload();
      const again = await readyChat(page);
      const [title] = await again.historyTitles(1);
      await again.closeHistory();
      await again.openFromHistory(title);
      await seesBoth(again);
      assert.deepEqual(problems, []);
      await context.close();
    });
  }

  test("files alone are a message, and the conversation is named after the first", async () => {
    const { context, page, problems } = await newPerson(browser());
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Emmy");
    const chat = await readyChat(page);
    await filesOf(chat).choose(LIST);
    await filesOf(chat).uploaded("list.txt");
    await chat.button("Send message").click();
    await chat.answers.first().filter({ hasText: "2 lines of text" }).waitFor();
    await chat.idle();
    assert.match((await chat.historyTitles(1))[0], /^list\.txt$/i);
    assert.deepEqual(problems, []);
    await context.close();
  });

  test("a session that may send no files is refused in words, and so is a file that is not what it is called", async () => {
    const { key } = await stack().cli("key", "create", "--env", "test", "--label", "files journey");
    const app = await startHostedApp({
      chatUrl: stack().chatUrl,
      apiKey: key,
      user: "hedy",
      workflow: "wf_tasks",
      composer: { attachments: { enabled: true } },
      configuration: () => ({ file_upload: { enabled: app.mayUpload } }),
    });
    try {
      const { context, page } = await newPerson(browser());
      // Nothing said means no files, as with the hosted backend.
      app.mayUpload = false;
      await page.goto(app.url);
      const chat = chatOn(page);
      await chat.ready();
      await filesOf(chat).choose(LIST);
      await filesOf(chat).draft("list.txt").getByText("File uploads are disabled for this session.").waitFor();
      assert.equal(await chat.button("Upload list.txt again").count(), 0, "another attempt would not help");

      app.mayUpload = true;
      await page.reload();
      await chat.ready();
      await filesOf(chat).choose({ ...LIST, name: "list.png", mimeType: "image/png" });
      await filesOf(chat).draft("list.png").getByText("Uploaded file type is not allowed for this session.").waitFor();
      await chat.button("Remove list.png").click();
      await filesOf(chat).choose(LIST);
      await filesOf(chat).uploaded("list.txt");
      await context.close();
    } finally {
      app.stop();
    }
  });
}
