// What the three chats have in common; how they get in is in each component.
import type { ChatKitOptions } from "@openai/chatkit-react";

export const vestibuleUrl = import.meta.env.VITE_VESTIBULE_URL;

/** What the chats behind a login are given. */
export interface SignedInChatProps {
  userId: string;
  /** Called after each answer: it may have changed the person's tasks. */
  onAnswer: () => void;
}

export const chatOptions = {
  theme: { colorScheme: "light", radius: "round", density: "normal" },
  history: { enabled: true },
  threadItemActions: { feedback: true, retry: true },
  startScreen: {
    greeting: "What is to be done?",
    prompts: [
      { label: "Add a task", prompt: "add a task: buy milk", icon: "write" },
      { label: "Show my tasks", prompt: "list my tasks", icon: "search" },
    ],
  },
  composer: { placeholder: "Add a task, or ask for your list" },
} satisfies Partial<ChatKitOptions>;

/** People who are signed in may attach what the server takes (`[uploads]`); visitors may not. */
export const signedInOptions = {
  ...chatOptions,
  composer: {
    ...chatOptions.composer,
    attachments: {
      enabled: true,
      accept: { "image/*": [".png", ".jpg", ".jpeg", ".gif", ".webp"], "application/pdf": [".pdf"], "text/*": [".txt", ".md", ".csv"] },
    },
  },
} satisfies Partial<ChatKitOptions>;
