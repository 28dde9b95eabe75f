// Door 2: a public token. Anybody may chat; each browser is a visitor with threads of its own.
import { ChatKit, useChatKit, type ChatKitOptions } from "@openai/chatkit-react";

import { chatOptions } from "./chatOptions";

const clientToken = import.meta.env.VITE_PUBLIC_TOKEN;
// ChatKit's documentation shows `clientToken`, but its types have never named it.
const api = { clientToken } as unknown as ChatKitOptions["api"];

export function PublicTokenChat() {
  if (clientToken === "") {
    return (
      <p role="status">
        Make a public token with <code>vestibule token create --origin {window.location.origin} --env test</code>, put it
        into <code>.env.local</code> as <code>VITE_PUBLIC_TOKEN</code>, and start again.
      </p>
    );
  }
  return <VisitorChat />;
}

function VisitorChat() {
  const { control } = useChatKit({ ...chatOptions, api });
  return <ChatKit control={control} className="chat" />;
}
