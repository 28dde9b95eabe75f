/** Records the microphone and gives the recording as the protocol wants it. */

/** What browsers record, the smallest first. */
const TYPES = ['audio/webm;codecs=opus', 'audio/mp4', 'audio/ogg;codecs=opus'] as const;
/** Nobody dictates for longer; a microphone that was forgotten is let go. */
export const MAX_RECORDING_MS = 5 * 60 * 1000;

export interface Recording {
  readonly audio_base64: string;
  readonly mime_type: string;
}

export interface Recorder {
  /** Ends it and gives what was recorded; `null` when that was nothing. */
  readonly finish: () => Promise<Recording | null>;
  readonly discard: () => void;
}

/** Whether this browser can record on this page. */
export function canRecord(): boolean {
  return typeof MediaRecorder !== 'undefined' && typeof (navigator.mediaDevices as MediaDevices | undefined)?.getUserMedia === 'function';
}

/** Asks for the microphone and begins; rejects when it is refused. `onEnd`: it ended by itself. */
export async function startRecording(onEnd: () => void): Promise<Recorder> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(stream, mimeType === undefined ? {} : { mimeType });
  const chunks: Blob[] = [];
  recorder.addEventListener('dataavailable', ({ data }) => {
    if (data.size > 0) chunks.push(data);
  });
  const stopped = new Promise<void>((resolve) => recorder.addEventListener('stop', () => resolve(), { once: true }));
  const timer = setTimeout(onEnd, MAX_RECORDING_MS);
  const release = (): void => {
    clearTimeout(timer);
    if (recorder.state !== 'inactive') recorder.stop();
    for (const track of stream.getTracks()) track.stop();
  };
  recorder.start(1000);
  return {
    finish: async () => {
      release();
      await stopped;
      const blob = new Blob(chunks, { type: recorder.mimeType });
      return blob.size === 0 ? null : { audio_base64: await base64Of(blob), mime_type: recorder.mimeType };
    },
    discard: release,
  };
}

function base64Of(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener('load', () => resolve((reader.result as string).replace(/^[^,]*,/, '')));
    reader.addEventListener('error', () => reject(reader.error ?? new Error('the recording could not be read')));
    reader.readAsDataURL(blob);
  });
}
