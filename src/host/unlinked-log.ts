import { open, unlink } from 'node:fs/promises';
import { fileSystemError } from './system-error.js';

/** A file without a name, that another process can write to while we live, and that is gone when we are. */
export interface UnlinkedLog {
  /** Where another process of the same user opens it. */
  readonly path: string;
  read(): Promise<string>;
  close(): Promise<void>;
}

const maximumBytes = 1024 * 1024;

/** @param nameless a path in a directory that exists, which is free again at once */
export async function openUnlinkedLog(nameless: string): Promise<UnlinkedLog> {
  try {
    const handle = await open(nameless, 'wx+', 0o600);
    await unlink(nameless);
    return {
      path: `/proc/${process.pid}/fd/${handle.fd}`,
      read: async () => {
        const { size } = await handle.stat();
        // Why something ended stands at the end.
        const start = Math.max(0, size - maximumBytes);
        const content = Buffer.alloc(size - start);
        const { bytesRead } = await handle.read(content, 0, content.length, start);
        return content.toString('utf8', 0, bytesRead);
      },
      close: () => handle.close(),
    };
  } catch (error) {
    throw fileSystemError('make the log', nameless, error);
  }
}
