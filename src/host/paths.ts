import { join } from 'node:path';

/**
 * Every file that `launch` keeps, named in one place.
 *
 *     <home>/
 *       images/<uuid>/image.json              the record
 *                     image.<format>          the file as imported
 *       flavors.json                          the user's own flavors
 *       catalogue.json                        the user's own catalogue of images
 *       instances/_base/<sha1>_<GiB>          raw, sparse, read-only
 *                       <sha1>_<GiB>.json     its record
 *       instances/instance-0000000c/
 *         disk                                qcow2 overlay (raw with --no-cow)
 *         disk.seed                           what the guest is told of itself (guest/seed/)
 *         known_hosts                         the guest's host keys
 *         console.log                         what the serial console printed
 *         domain.xml                          the domain as libvirt keeps it
 *         instance.json                       the record
 *       instances/counter.json                the last number given out
 *       keys/id_ed25519, id_ed25519.pub       made for a user who has no key of their own
 *       vagrant-key                           Vagrant's published key, for guests of its boxes
 *       ssh/config, connect                   for plain ssh: every instance by its name
 *       locks/                                kernel locks; a file here means nothing by itself
 *
 * Half-made files are called `.<name>.<maker>.tmp` and lie beside their destination (see maker.ts).
 */
export interface HomePaths {
  readonly root: string;
  readonly images: string;
  readonly instances: string;
  readonly bases: string;
  readonly locks: string;
  readonly flavorsFile: string;
  readonly catalogueFile: string;
  readonly counterFile: string;
  readonly keys: string;
  readonly vagrantKey: string;
  readonly ssh: string;
  image(id: string): ImagePaths;
  base(name: string): BasePaths;
  instance(domainName: string): InstancePaths;
  lock(name: string): string;
}

interface ImagePaths {
  readonly directory: string;
  readonly record: string;
  file(format: string): string;
}

interface BasePaths {
  readonly file: string;
  readonly record: string;
}

export interface InstancePaths {
  readonly directory: string;
  readonly disk: string;
  readonly seed: string;
  readonly knownHosts: string;
  readonly consoleLog: string;
  readonly domainXml: string;
  readonly record: string;
}

export function homePaths(root: string): HomePaths {
  const images = join(root, 'images');
  const instances = join(root, 'instances');
  const bases = join(instances, '_base');
  const locks = join(root, 'locks');
  return {
    root,
    images,
    instances,
    bases,
    locks,
    flavorsFile: join(root, 'flavors.json'),
    catalogueFile: join(root, 'catalogue.json'),
    counterFile: join(instances, 'counter.json'),
    keys: join(root, 'keys'),
    vagrantKey: join(root, 'vagrant-key'),
    ssh: join(root, 'ssh'),
    image: (id) => {
      const directory = join(images, id);
      return {
        directory,
        record: join(directory, 'image.json'),
        file: (format) => join(directory, `image.${format}`),
      };
    },
    base: (name) => ({ file: join(bases, name), record: join(bases, `${name}.json`) }),
    instance: (domainName) => instancePaths(join(instances, domainName)),
    lock: (name) => join(locks, `${name}.lock`),
  };
}

/** The files of an instance, also of one whose directory still has its temporary name. */
export function instancePaths(directory: string): InstancePaths {
  return {
    directory,
    disk: join(directory, 'disk'),
    seed: join(directory, 'disk.seed'),
    knownHosts: join(directory, 'known_hosts'),
    consoleLog: join(directory, 'console.log'),
    domainXml: join(directory, 'domain.xml'),
    record: join(directory, 'instance.json'),
  };
}
