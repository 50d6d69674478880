import { setImmediate } from 'node:timers/promises';
import { expect } from 'vitest';
import type { LaunchError, LaunchErrorCode } from '../../src/host/launch-error.js';
import type { WorkEvent } from '../../src/host/work.js';
import { processClock } from '../../src/image/fetch/clock.js';
import { httpTransport } from '../../src/image/fetch/transport.js';
import { importImageFile } from '../../src/instance/images/image-verbs.js';
import { expectRefusal, listTree, openIntegrationHost, type IntegrationHost } from './integration-host.js';

/** A host whose downloads never wait before they try again, and give a silent server 300 ms. */
export async function openFetchingHost(
  options: { readonly certificates?: string; readonly directory?: string } = {},
): Promise<IntegrationHost> {
  const { certificates, directory } = options;
  const host = await openIntegrationHost(directory === undefined ? {} : { directory });
  const fetching = {
    transport: httpTransport(certificates === undefined ? {} : { certificates }),
    clock: {
      ...processClock,
      sleep: async () => {
        await setImmediate();
      },
    },
    idleMs: 300,
  };
  return { ...host, fetching };
}

type Request = Omit<Parameters<typeof importImageFile>[1], 'name'> & { readonly name?: string };

/** Imports and gives the image with all that was told. */
export async function importTelling(host: IntegrationHost, request: Request) {
  const events: WorkEvent[] = [];
  const image = await importImageFile(
    host,
    { name: 'image', ...request },
    { onEvent: (event) => events.push(event) },
  );
  const notices = events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
  return { image, events, notices };
}

/** Imports, and looks that the refusal left nothing in the home. */
export async function refuseImport(
  host: IntegrationHost,
  request: Request,
  ...codes: readonly LaunchErrorCode[]
): Promise<LaunchError> {
  const before = await listTree(host.home.root);
  const error = await expectRefusal(importImageFile(host, { name: 'image', ...request }), ...codes);
  const kept = ['images/', 'locks/', ...before];
  expect((await listTree(host.home.root)).filter((path) => !kept.includes(path))).toEqual([]);
  return error;
}
