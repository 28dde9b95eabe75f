// The page: three tabs, one for each way into the chat.
import { useCallback, useState } from "react";

import { authClient, forgetJwt } from "./auth";
import { ClientSecretChat } from "./ClientSecretChat";
import { CustomFetchChat } from "./CustomFetchChat";
import { PublicTokenChat } from "./PublicTokenChat";
import { SignIn } from "./SignIn";
import { TaskList } from "./TaskList";

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
        ) : (
          // The key gives every user elements of their own: nothing of the last user stays.
          <SignedIn key={session.user.id} door={door} userId={session.user.id} />
        )}
      </main>
    </div>
  );
}

function SignedIn({ door, userId }: { door: Exclude<Door, "public">; userId: string }) {
  const [answers, setAnswers] = useState(0);
  const Chat = door === "secret" ? ClientSecretChat : CustomFetchChat;
  const onAnswer = useCallback(() => {
    setAnswers((count) => count + 1);
  }, []);
  return (
    <div className="columns">
      <Chat userId={userId} onAnswer={onAnswer} />
      <TaskList userId={userId} version={answers} />
    </div>
  );
}
