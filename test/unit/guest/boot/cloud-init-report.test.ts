import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

import { cloudInitScript, parseCloudInitAnswer } from '../../../../src/guest/boot/cloud-init-report.js';

describe('parseCloudInitAnswer', () => {
  it('knows a guest without cloud-init, and one where it still runs', () => {
    expect(parseCloudInitAnswer('absent\n')).toEqual({ state: 'absent' });
    expect(parseCloudInitAnswer('running\n')).toEqual({ state: 'running' });
  });

  it('reads errors, and what it went on from since 23.4', () => {
    const result = {
      v1: { datasource: 'DataSourceNoCloud', errors: ["('runcmd', ProcessExecutionError())"] },
    };
    const status = {
      v1: {
        datasource: 'DataSourceNoCloud',
        stage: null,
        init: {
          recoverable_errors: { WARNING: ['Failed loading yaml blob'], DEPRECATED: ['ca-certs is old'] },
        },
        'modules-final': { errors: [], finished: 1, start: 0 },
      },
    };
    expect(parseCloudInitAnswer(`${JSON.stringify(result)}\n---\n${JSON.stringify(status)}`)).toEqual({
      state: 'finished',
      report: { errors: ["('runcmd', ProcessExecutionError())"], recoverable: ['Failed loading yaml blob'] },
    });
  });

  it('takes the result without the status', () => {
    expect(parseCloudInitAnswer('{"v1": {"errors": []}}\n---\n')).toEqual({
      state: 'finished',
      report: { errors: [], recoverable: [] },
    });
  });

  it.each(['', 'Permission denied', '{}', '{"v1": {"errors": [1]}}'])('makes nothing of %j', (text) => {
    expect(parseCloudInitAnswer(text)).toBeUndefined();
  });

  it('asks in words that a shell knows', () => {
    expect(execFileSync('sh', ['-c', cloudInitScript], { encoding: 'utf8' })).toMatch(/^(absent|running|\{)/);
  });
});
