// The scripted server's files: the hosted form, a form of the app's own, and two phases with a store that
// wants its signed address and nothing else. A test can hold an answer back or have it refused.

/** A red square with a blue corner, 32 × 32. */
export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAMklEQVR42mO4Y2NEEpILuEMSYhi1YNSCUQtGLRi1YFhaQCoatWDUglELRi0YtWBIWAAAoSsoTGrTEJEAAAAASUVORK5CYII=',
  'base64',
);

export const newFiles = () => ({ stored: new Map(), deleted: [], hold: null, refuse: null });

/** Answers a request about files; `false` when it is about something else. */
export async function answerFiles(state, { request, url, body, json, fail, response }) {
  const { files } = state;
  const id = url.pathname.match(/^\/(?:bytes|files)\/(\w+)$/)?.[1];
  if (request.method === 'GET' && url.pathname.startsWith('/files/') && files.stored.has(id)) {
    response.writeHead(200, { 'content-type': files.stored.get(id).mime_type });
    response.end(files.stored.get(id).bytes);
    return true;
  }
  const isForm = request.method === 'POST' && ['/v1/chatkit/files', '/upload'].includes(url.pathname);
  const isBytes = request.method === 'PUT' && url.pathname.startsWith('/bytes/');
  if (!isForm && !isBytes) return false;
  state.requests.push({ path: url.pathname, headers: request.headers, body: {} });
  if (url.pathname === '/v1/chatkit/files' && !state.secrets.get((request.headers.authorization ?? '').replace('Bearer ', ''))) {
    fail(401, 'The client secret has expired. Ask for a new one.', 'client_secret_expired');
    return true;
  }
  await files.hold;
  if (files.refuse !== null) {
    const { status, message, code } = files.refuse;
    fail(status, message, code);
    return true;
  }
  if (isBytes) {
    files.stored.get(id).bytes = body;
    response.writeHead(204).end();
    return true;
  }
  const form = await new Response(body, { headers: { 'content-type': request.headers['content-type'] } }).formData();
  const file = form.get('file');
  const stored = announce(state, { name: file.name, mime_type: file.type, size: file.size });
  stored.bytes = Buffer.from(await file.arrayBuffer());
  json(200, shown(stored));
  return true;
}

/** The operations of the protocol: announce and delete. */
export function answerAttachments(state, { type, params }, json) {
  if (type === 'attachments.create') {
    const stored = announce(state, params);
    return json(200, { ...shown(stored), upload_descriptor: { url: `${state.bytesOrigin ?? ''}/bytes/${stored.id}`, method: 'PUT', headers: { 'x-signed': 'yes' } } });
  }
  state.files.deleted.push(params.attachment_id);
  return json(200, {});
}

function announce({ files }, { name, mime_type, size }) {
  const id = `file${files.stored.size + 1}`;
  const stored = { id, name, mime_type, size, bytes: null };
  files.stored.set(id, stored);
  return stored;
}

/** As a browser is told. */
export function shown({ id, name, mime_type }) {
  const isImage = mime_type.startsWith('image/');
  return { type: isImage ? 'image' : 'file', id, name, mime_type, ...(isImage ? { preview_url: `/files/${id}` } : {}) };
}
