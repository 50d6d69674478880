import { LaunchError } from '../../host/launch-error.js';
import { defineCommand, defineGroup } from '../define-command.js';
import { parseAge, parseBytes } from '../parse-storage.js';
import { renderBases, renderFindings, renderPrune } from '../render-storage.js';

const listCommand = defineCommand(
  {
    command: ['list', 'ls'],
    describe: 'List the bases: what they take, who is on them, when they were last used and verified',
    positionals: {},
    options: {},
    examples: [['base list --format json', 'for programs']],
  },
  async (context) => {
    const { listBaseReports } = await import('../../instance/bases/base-verbs.js');
    const bases = await listBaseReports(context.host, context.work);
    context.emit(bases, () => (bases.length === 0 ? '' : renderBases(bases, context.host.now())));
    if (bases.length === 0 && context.options.format === 'table') {
      context.say('there are no bases yet; a launch makes one, or:  launch image prefetch IMAGE');
    }
  },
);

const verifyCommand = defineCommand(
  {
    command: 'verify [bases..]',
    describe: 'Read bases again and compare each with its digest',
    positionals: {
      bases: { type: 'string', array: true, describe: 'images, or starts of names of bases; all by default' },
    },
    options: {},
    examples: [
      ['base verify', 'all of them'],
      ['base verify fedora-17', "an image's"],
    ],
  },
  async (context, args) => {
    const { verifyBases } = await import('../../instance/bases/base-verbs.js');
    const findings = await verifyBases(context.host, args.bases ?? [], context.work);
    context.emit(findings, () => renderFindings(findings));
    const bad = findings.filter(({ sound }) => !sound);
    if (bad.length === 0) return;
    throw new LaunchError(
      'BASE_CHANGED',
      `${bad.length} of ${findings.length} bases cannot be trusted: ${bad.map(({ base }) => base.name).join(', ')}`,
      {
        hint: [
          'nothing is started on them; delete the instances that are on them, then:',
          '  launch base prune        and the next launch makes them anew',
        ].join('\n'),
        details: { bases: bad.map(({ base }) => base.name) },
      },
    );
  },
);

const pruneCommand = defineCommand(
  {
    command: 'prune',
    describe: 'Remove bases that nothing uses; says for each why it stays or goes',
    positionals: {},
    options: {
      'older-than': {
        type: 'string',
        default: '0',
        describe: 'only those that were not used for so long: 12h, 7d, 2w',
        requiresArg: true,
      },
      'keep-free': {
        type: 'string',
        describe: 'only until so much is free, the longest unused first: 20GiB',
        requiresArg: true,
      },
      'dry-run': { type: 'boolean', default: false, describe: 'say what would go, remove nothing' },
    },
    examples: [
      ['base prune --dry-run', 'what would go, and why'],
      ['base prune --older-than 7d', 'what was not used for a week'],
      ['base prune --keep-free 20GiB', 'no more than it takes'],
    ],
  },
  async (context, args) => {
    const { pruneBases } = await import('../../instance/bases/prune-bases.js');
    const keepFree = args['keep-free'];
    const rule = {
      olderThanMs: parseAge(args['older-than']),
      keepFreeBytes: keepFree === undefined ? undefined : parseBytes(keepFree),
      dryRun: args['dry-run'],
    };
    const report = await pruneBases(context.host, rule, context.work);
    context.emit(report, () => renderPrune(report, rule, context.host.now()));
  },
);

export const baseCommand = defineGroup(
  'base',
  'List, verify and prune the bases that instances lie on',
  [listCommand, verifyCommand, pruneCommand],
  [
    ['base list', 'what there is, and who is on it'],
    ['base prune --older-than 7d --dry-run', 'what a week without use would cost'],
  ],
);
