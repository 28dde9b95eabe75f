// Door 1: a short-lived client secret, made by the server for the signed-in user.
import { ChatKit, useChatKit } from "@openai/chatkit-react";

import { getJwt } from "./auth";
import { signedInOptions, vestibuleUrl, type SignedInChatProps } from "./chatOptions";

export function ClientSecretChat({ userId, onAnswer }: SignedInChatProps) {
  const { control } = useChatKit({
    ...signedInOptions,
    onResponseEnd: onAnswer,
    api: {
      async getClientSecret(currentClientSecret) {
        // The first time there is none yet; later the element asks shortly before it expires.
        const path = currentClientSecret ? "refresh" : "start";
        const response = await fetch(`${vestibuleUrl}/api/chatkit/${path}`, {
          method: "POST",
          headers: { "Content-Type": "application/json", Authorization: `Bearer ${await getJwt(userId)}` },
          body: JSON.stringify(currentClientSecret ? { currentClientSecret } : {}),
        });
        const answer = (await response.json()) as { client_secret?: string; error?: { message: string } };
        if (!answer.client_secret) {
          throw new Error(answer.error?.message ?? "The chat cannot be opened right now.");
        }
        return answer.client_secret;
      },
    },
  });
  return <ChatKit control={control} className="chat" />;
}
