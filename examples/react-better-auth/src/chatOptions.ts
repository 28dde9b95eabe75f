// What the three chats have in common; how they get in is in each component.
import type { ChatKitOptions } from "@openai/chatkit-react";

export const vestibuleUrl = import.meta.env.VITE_VESTIBULE_URL;

export const chatOptions = {
  theme: { colorScheme: "light", radius: "round", density: "normal" },
  history: { enabled: true },
  startScreen: {
    greeting: "What is to be done?",
    prompts: [
      { label: "Add a task", prompt: "Add a task: buy milk", icon: "write" },
      { label: "Show my tasks", prompt: "Show my tasks", icon: "search" },
    ],
  },
  composer: { placeholder: "Add a task, or ask for your list" },
} satisfies Partial<ChatKitOptions>;
