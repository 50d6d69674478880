/** Imports go one way: cli → instance → {image, flavor, disk, guest, domain, libvirt} → host. */
const only = (from, to) => ({
  name: `${from}-imports`,
  severity: 'error',
  comment: `src/${from} may import only ${to.join(', ') || 'nothing'} of src/`,
  from: { path: `^src/${from}/` },
  to: { path: '^src/', pathNot: `^src/(${[from, ...to].join('|')})/` },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, pathNot: '\\.d\\.ts$' }, to: {} },
    only('host', []),
    only('libvirt', ['host']),
    only('qemu-img', ['host']),
    only('image', ['qemu-img', 'host']),
    only('flavor', ['host']),
    only('disk', ['image', 'qemu-img', 'host']),
    only('guest', ['host']),
    only('domain', ['disk', 'qemu-img', 'host']),
    only('instance', ['image', 'flavor', 'disk', 'guest', 'domain', 'libvirt', 'qemu-img', 'host']),
    {
      name: 'library-does-not-know-the-cli',
      severity: 'error',
      from: { path: '^src/index\\.ts$' },
      to: { path: '^src/(cli/|main\\.ts)' },
    },
    {
      name: 'one-importer-of-the-binding',
      severity: 'error',
      comment: 'Only src/libvirt talks to libvirt.',
      from: { path: '^src/', pathNot: '^src/libvirt/' },
      to: { path: '@unraid/libvirt' },
    },
    {
      name: 'one-way-to-run-a-process',
      severity: 'error',
      comment:
        'Commands run through the command runner of src/host; the CLI hands a terminal to virsh itself.',
      from: { path: '^src/', pathNot: '^src/host/' },
      to: { path: '^(node_modules/execa|child_process|node:child_process)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types'] },
  },
};
