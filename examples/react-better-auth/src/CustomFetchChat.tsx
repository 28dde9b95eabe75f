// Door 3: the app's own endpoint; every request carries the user's JWT.
import { ChatKit, useChatKit } from "@openai/chatkit-react";

import { getJwt } from "./auth";
import { signedInOptions, vestibuleUrl, type SignedInChatProps } from "./chatOptions";

export function CustomFetchChat({ userId, onAnswer }: SignedInChatProps) {
  const { control } = useChatKit({
    ...signedInOptions,
    onResponseEnd: onAnswer,
    api: {
      url: `${vestibuleUrl}/api/chat`,
      domainKey: import.meta.env.VITE_DOMAIN_KEY,
      uploadStrategy: { type: "two_phase" },
      async fetch(input, init) {
        const headers = new Headers(init?.headers);
        headers.set("Authorization", `Bearer ${await getJwt(userId)}`);
        headers.set("X-User-Id", userId); // optional; refused when it is not the user of the JWT
        return fetch(input, { ...init, headers, credentials: "include" });
      },
    },
  });
  return <ChatKit control={control} className="chat" />;
}
