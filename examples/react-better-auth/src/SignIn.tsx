// Sign up or sign in with an address and a password.
import { useState, type SubmitEvent } from "react";

import { authClient } from "./auth";

export function SignIn() {
  const [isNew, setIsNew] = useState(true);
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setIsBusy] = useState(false);

  async function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => {
      const value = form.get(name);
      return typeof value === "string" ? value : "";
    };
    const account = { email: field("email"), password: field("password") };
    setIsBusy(true);
    const result = isNew
      ? await authClient.signUp.email({ ...account, name: field("name") })
      : await authClient.signIn.email(account);
    setIsBusy(false);
    setError(result.error ? (result.error.message ?? "That did not work. Try again.") : null);
  }

  return (
    <form
      className="sign-in"
      onSubmit={(event) => {
        void submit(event);
      }}
    >
      <h2>{isNew ? "Create an account" : "Sign in"}</h2>
      {isNew && (
        <label>
          Name
          <input name="name" autoComplete="name" required />
        </label>
      )}
      <label>
        Email
        <input name="email" type="email" autoComplete="email" required />
      </label>
      <label>
        Password
        <input
          name="password"
          type="password"
          minLength={8}
          autoComplete={isNew ? "new-password" : "current-password"}
          required
        />
      </label>
      {error && (
        <p role="alert" className="error">
          {error}
        </p>
      )}
      <button type="submit" className="primary" disabled={isBusy}>
        {isNew ? "Sign up" : "Sign in"}
      </button>
      <button
        type="button"
        className="link"
        onClick={() => {
          setIsNew(!isNew);
          setError(null);
        }}
      >
        {isNew ? "I have an account" : "I am new here"}
      </button>
    </form>
  );
}
