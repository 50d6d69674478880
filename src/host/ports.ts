import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { errnoOf } from './system-error.js';

/** What stands in the way of listening on a port: nothing, another, too few rights, or no such address here. */
export type PortState = 'free' | 'taken' | 'denied' | 'absent';

const states: Readonly<Record<string, PortState>> = {
  EACCES: 'denied',
  EPERM: 'denied',
  EADDRNOTAVAIL: 'absent',
  EADDRINUSE: 'taken',
};

/** Listens for a moment, to see whether it can be done. Whoever listens later may still find it taken. */
export async function probePort(protocol: 'tcp' | 'udp', address: string, port: number): Promise<PortState> {
  try {
    await (protocol === 'tcp' ? listenTcp(address, port) : listenUdp(address, port));
    return 'free';
  } catch (error) {
    const state = states[errnoOf(error) ?? ''];
    if (state === undefined) throw error;
    return state;
  }
}

async function listenTcp(host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      server.close(() => {
        resolve();
      });
    });
  });
}

async function listenUdp(address: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.close(() => {
        resolve();
      });
    });
  });
}
