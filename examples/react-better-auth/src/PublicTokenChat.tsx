// Door 2: a public token. Anybody may chat; each browser is a visitor with threads of its own.
import { ChatKit, useChatKit, type ChatKitOptions } from "@openai/chatkit-react";

import { chatOptions } from "./chatOptions";

// ChatKit's documentation shows `clientToken`, but its types have never named it.
const api = { clientToken: import.meta.env.VITE_PUBLIC_TOKEN } as unknown as ChatKitOptions["api"];

export function PublicTokenChat() {
  const { control } = useChatKit({ ...chatOptions, api });
  return <ChatKit control={control} className="chat" />;
}
