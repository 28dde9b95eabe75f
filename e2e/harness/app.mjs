// What a person does on the example's page around the chat.
import { chatOn } from "./chat.mjs";

let people = 0;

/** Goes to one of the page's doors: "secret", "custom" or "public". */
export async function visit(page, appUrl, door = "secret") {
  await page.goto(`${appUrl}/#${door}`);
  await page.getByRole("heading", { name: "Tasks with a chat" }).waitFor();
}

/** Creates an account through the form and waits for the chat. */
export async function signUp(page, name) {
  people += 1;
  const account = { name, email: `person-${process.pid}-${people}@example.com`, password: "correct horse battery" };
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Email").fill(account.email);
  await page.getByLabel("Password").fill(account.password);
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByText(`Signed in as ${name}`).waitFor();
  return account;
}

/** Signs in through the form. */
export async function signIn(page, { name, email, password }) {
  await page.getByRole("button", { name: "I have an account" }).click();
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText(`Signed in as ${name}`).waitFor();
}

/** Signs out and waits for the form. */
export async function signOut(page) {
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Create an account" }).waitFor();
}

/** Changes to another door by its tab. */
export async function changeDoor(page, label) {
  await page.getByRole("navigation").getByRole("button", { name: label }).click();
}

/** The page's chat, ready for a message. */
export async function readyChat(page) {
  const chat = chatOn(page);
  await chat.ready();
  return chat;
}
