// The front-end code for each door, in three ways of writing a page. It is what the demo page itself does,
// with this server's address and keys filled in.

const indent = (text, by) => text.replaceAll('\n', `\n${' '.repeat(by)}`);

/** The `api` option of a door, as source. */
function apiOf(door, { origin, token, domainKey }) {
  if (door === 2) return `{ clientToken: '${token}' }`;
  if (door === 3) {
    return `{
  url: '${origin}/api/chat',
  domainKey: '${domainKey}',
  fetch: async (url, init) =>
    fetch(url, {
      ...init,
      headers: { ...init?.headers, Authorization: \`Bearer \${await yourUsersJwt()}\` },
    }),
}`;
  }
  return `{
  async getClientSecret(current) {
    const answer = await fetch(
      \`${origin}/api/chatkit/\${current ? 'refresh' : 'start'}\`,
      {
        method: 'POST',
        headers: {
          Authorization: \`Bearer \${await yourUsersJwt()}\`,
          'Content-Type': 'application/json',
        },
        body: JSON.stringify(current ? { currentClientSecret: current } : {}),
      },
    );
    if (!answer.ok) throw new Error((await answer.json()).error.message);
    return (await answer.json()).client_secret;
  },
}`;
}

/** Source code for a door, in one of three kinds. */
export function codeOf(door, kind, facts) {
  const api = apiOf(door, facts);
  const script = `<script src="${facts.origin}/chatkit.js" async></script>`;
  if (kind === 'react') {
    return `// In index.html:
// ${script}
import { ChatKit, useChatKit } from '@openai/chatkit-react';

export function Chat() {
  const { control } = useChatKit({
    api: ${indent(api, 4)},
  });
  return <ChatKit control={control} style={{ height: 600, width: 400 }} />;
}
`;
  }
  if (kind === 'vue') {
    return `<!-- In index.html:
       ${script}
     In vite.config.js:
       vue({ template: { compilerOptions: {
         isCustomElement: (tag) => tag === 'openai-chatkit' } } }) -->
<script setup>
import { onMounted, useTemplateRef } from 'vue';

const chat = useTemplateRef('chat');
onMounted(async () => {
  await customElements.whenDefined('openai-chatkit');
  chat.value.setOptions({
    api: ${indent(api, 4)},
  });
});
</script>

<template>
  <openai-chatkit ref="chat" style="height: 600px; width: 400px" />
</template>
`;
  }
  return `<script src="${facts.origin}/chatkit.js"></script>
<openai-chatkit id="chat"></openai-chatkit>
<script>
  document.getElementById('chat').setOptions({
    api: ${indent(api, 4)},
  });
</script>
`;
}
