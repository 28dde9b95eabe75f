// The page: three tabs, one for each way into the chat.
import { useState } from "react";

import { authClient, forgetJwt } from "./auth";
import { ClientSecretChat } from "./ClientSecretChat";
import { CustomFetchChat } from "./CustomFetchChat";
import { PublicTokenChat } from "./PublicTokenChat";
import { SignIn } from "./SignIn";

const doors = [
  { id: "secret", label: "Client secret", hint: "The server gives the signed-in user a short-lived secret." },
  { id: "custom", label: "Custom fetch", hint: "Every request carries the signed-in user's token." },
  { id: "public", label: "Public token", hint: "No login: each browser is a visitor with a chat of its own." },
] as const;

type Door = (typeof doors)[number]["id"];

/** The door is in the address, so that a reload and a link come back to it. */
function doorFromAddress(): Door {
  const name = window.location.hash.slice(1);
  return doors.find((door) => door.id === name)?.id ?? "secret";
}

export function App() {
  const [door, setDoor] = useState<Door>(doorFromAddress);
  const { data: session, isPending } = authClient.useSession();
  const hint = doors.find((candidate) => candidate.id === door)?.hint;

  function open(next: Door) {
    window.history.replaceState(null, "", `#${next}`);
    setDoor(next);
  }

  return (
    <div className="page">
      <header>
        <h1>Tasks with a chat</h1>
        {session && (
          <p className="account">
            Signed in as <strong>{session.user.name}</strong>
            <button
              type="button"
              className="link"
              onClick={() => {
                forgetJwt();
                void authClient.signOut();
              }}
            >
              Sign out
            </button>
          </p>
        )}
      </header>
      <nav aria-label="Ways into the chat">
        {doors.map(({ id, label }) => (
          <button
            key={id}
            type="button"
            aria-current={id === door ? "page" : undefined}
            onClick={() => {
              open(id);
            }}
          >
            {label}
          </button>
        ))}
      </nav>
      <main>
        <p className="hint">{hint}</p>
        {door === "public" ? (
          <PublicTokenChat />
        ) : isPending ? (
          <p role="status">One moment…</p>
        ) : !session ? (
          <SignIn />
        ) : door === "secret" ? (
          // The key gives every user an element of their own: nothing of the last user stays.
          <ClientSecretChat key={session.user.id} userId={session.user.id} />
        ) : (
          <CustomFetchChat key={session.user.id} userId={session.user.id} />
        )}
      </main>
    </div>
  );
}
